"""The geometry of a ladder's chart."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamirror.report.cards import Sample, byte_step, ladder_chart, nice_step


def test_one_file_makes_no_chart() -> None:
    assert ladder_chart([]) is None
    assert ladder_chart([Sample("webp", 480, 1000), Sample("webp", 480, 1000)]) is None


def test_both_axes_start_at_zero_and_points_lie_where_their_numbers_say() -> None:
    chart = ladder_chart([Sample("webp", 500, 10 * 1024), Sample("webp", 1000, 40 * 1024)])
    assert chart is not None
    zero, full = chart.x_ticks[0].at, chart.x_ticks[-1].at
    (first, last) = chart.series[0].points
    assert (chart.x_ticks[0].label, chart.x_ticks[-1].label, chart.y_ticks[-1].label) == ("0", "1,000", "40 KiB")
    assert (first.x, last.x) == (zero + (full - zero) / 2, full)
    assert (first.y, last.y) == (chart.bottom - (chart.bottom - chart.top) / 4, chart.top)


def test_files_are_joined_in_the_order_of_their_real_widths() -> None:
    chart = ladder_chart([Sample("w", 900, 9), Sample("w", 100, 1), Sample("w", 500, 5)])
    assert chart is not None
    xs = [point.x for point in chart.series[0].points]
    assert xs == sorted(xs)


def test_a_file_that_is_not_as_wide_as_declared_has_a_ghost_where_it_was_promised() -> None:
    chart = ladder_chart([Sample("w", 480, 100, 480), Sample("w", 1280, 900, 1920)])
    assert chart is not None
    right, wrong = chart.series[0].points
    assert right.ghost is None
    assert wrong.ghost is not None
    assert wrong.ghost > wrong.x
    assert chart.description.endswith("1 of them not as wide as declared.")


def test_a_pixel_of_rounding_has_no_ghost() -> None:
    chart = ladder_chart([Sample("w", 480, 100, 480), Sample("w", 1279, 900, 1280)])
    assert chart is not None
    assert not chart.has_ghosts


def test_the_same_file_under_three_descriptors_is_a_chart_of_its_own() -> None:
    assert ladder_chart([Sample("w", 1280, 9, 1280), Sample("w", 1280, 9, 1920)]) is not None


@pytest.mark.parametrize(("top", "step"), [(1, 0.5), (4, 1), (1920, 500), (2560, 1000), (100, 50), (0, 0.5)])
def test_steps_are_round(top: float, step: float) -> None:
    assert nice_step(top, 4) == step


def test_steps_of_bytes_are_round_in_their_own_unit() -> None:
    assert [byte_step(top, 4) for top in (2, 800, 80 * 1024, 5 * 1024**2)] == [1.0, 200, 20 * 1024, 2 * 1024**2]


@settings(deadline=None)
@given(st.lists(st.builds(Sample, st.sampled_from("abcdef"), st.integers(1, 10**6), st.integers(1, 10**10),
                          st.none() | st.integers(1, 10**9))))  # fmt: skip
def test_every_point_lies_inside_the_frame(samples: list[Sample]) -> None:
    chart = ladder_chart(samples)
    if chart is None:
        return
    points = [point for series in chart.series for point in series.points]
    assert all(chart.left <= x <= chart.right for p in points for x in (p.x, p.ghost) if x is not None)
    assert all(chart.top <= p.y <= chart.bottom for p in points)
    assert len(chart.series) <= 4
    assert 2 <= len(chart.x_ticks) <= 6
    assert 2 <= len(chart.y_ticks) <= 6
