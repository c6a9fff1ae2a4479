"""The mirror job beside a server that spoils its answers: what arrives, and what that costs."""

from __future__ import annotations

import pytest

from bench.faults import KINDS, Row, measure, table


@pytest.mark.parametrize(("rate", "most"), [(0.1, 1.3), (0.2, 1.4)])
async def test_everything_arrives_from_a_sick_network_for_few_requests_more(
    rate: float, most: float, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    row = await measure(rate, images=300, hosts=30, seed=4)
    assert set(row.spoilt) == set(KINDS)
    assert row.arrived == 300, row.failures
    assert row.requests / 300 < most
    assert row.most_per_host <= 6


def test_the_table_says_what_did_not_arrive() -> None:
    row = Row(0.2, 1000, 999, 1250, {"500": 251}, 6, 3.4, {"http-status": 1})
    assert table([row]).splitlines()[-1] == (
        "| 20% (251) | 1,000 | 999 (99.90%) | 1,250 | 1.25 | 6 | 3 | 1 http-status |"
    )
