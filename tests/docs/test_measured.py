"""The figures of the README and their chart are those that were measured."""

import json
import xml.etree.ElementTree as ET

import pytest

from bench.readme import BEGIN, CHART, FIGURES, README, chart, section, written


@pytest.fixture(scope="module")
def figures() -> dict[str, object]:
    return json.loads(FIGURES.read_text())


def test_the_readme_says_what_was_measured_and_nothing_else(figures: dict[str, object]) -> None:
    readme = README.read_text()
    assert BEGIN + section(figures) in readme
    assert written(readme, figures) == readme


def test_the_chart_has_a_bar_for_each_figure(figures: dict[str, object]) -> None:
    assert CHART.read_text() == chart(figures)
    bars = ET.fromstring(CHART.read_text()).iter("{http://www.w3.org/2000/svg}rect")
    assert len(list(bars)) == 2 * (len(figures["bucket"]["tools"]) + len(figures["directory"]["tools"]))
