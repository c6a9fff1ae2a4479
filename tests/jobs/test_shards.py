"""The planner of shards, tried on simulated worlds: near the least time there is, and never beyond a host's limit."""

from __future__ import annotations

import itertools

import pytest

from bench.simulate import lanes, simulate, zipf
from mediamirror.jobs.run.shards import SHARDS_A_WORKER, Bound, Limits, Planner, Slice

SIZES = [
    (2, (300, 20_000)),
    (8, (300, 20_000)),
    (32, (300, 200_000)),
    (2, (3_000, 1_000_000)),
    (32, (3_000, 1_000_000)),
]
WORLDS = [(exponent, *size) for exponent, size in itertools.product((0.5, 1.0, 1.5), SIZES)]


@pytest.mark.parametrize(("exponent", "workers", "size"), WORLDS)
def test_a_run_takes_at_most_six_percent_longer_than_the_least_there_is(
    exponent: float, workers: int, size: tuple[int, int]
) -> None:
    hosts, images = size
    got = simulate(zipf(images, hosts, exponent), Limits(), workers)
    assert got.ratio <= 1.06
    assert got.shards >= SHARDS_A_WORKER * workers
    assert got.most_at_once == 1


def test_paces_that_are_learnt_are_what_makes_it_so() -> None:
    world = zipf(1_000_000, 3_000, 1.0)
    assert simulate(world, Limits(), 16, learns=False).ratio > 1.2
    assert simulate(world, Limits(), 16).ratio < 1.06


def test_every_place_is_handed_out_once() -> None:
    planner = Planner(lanes({"a": 1_000, "b": 10, "c": 300}), Limits(8, 2, 1.0, 2.0), workers=2, guess=0.1)
    places = []
    while (shard := planner.next()) is not None:
        places += [place for part in shard.slices for place in range(part.first, part.last + 1)]
        planner.finished(shard, {})
    assert sorted(places) == list(range(1, 1_311))


def test_a_host_under_way_is_in_no_other_shard() -> None:
    planner = Planner([("a.example", 1, 10_000)], Limits(), workers=4, guess=0.2)
    shard = planner.next()
    assert shard is not None
    assert planner.next() is None
    planner.finished(shard, {"a.example": 0.2})
    assert planner.next() is not None


def test_two_ports_of_a_host_are_one_host() -> None:
    planner = Planner([("a.example:81", 1, 5), ("a.example:82", 6, 9)], Limits(), workers=1, guess=9.0)
    shard = planner.next()
    assert shard is not None
    assert {part.host for part in shard.slices} == {"a.example"}
    assert planner.next() is None


def test_small_hosts_share_a_shard_and_a_huge_one_is_cut_in_time() -> None:
    counts = {"huge": 100_000} | {f"small{n}": 2 for n in range(100)}
    planner = Planner(lanes(counts), Limits(), workers=2, guess=0.2)
    shards = []
    while (shard := planner.next()) is not None:
        shards.append(shard)
        planner.finished(shard, dict.fromkeys(shard.hosts, 0.2))
    assert max(len(shard.hosts) for shard in shards) > 50
    assert sum("huge" in shard.hosts for shard in shards) > 10


def test_the_least_time_says_which_host_more_workers_can_not_help() -> None:
    planner = Planner([("slow", 1, 600), ("quick", 601, 700)], Limits(64, 6), workers=8, guess=0.1)
    assert planner.bound() == Bound(pytest.approx(10.0), "slow")
    spread = Planner(lanes({f"h{n}": 100 for n in range(640)}), Limits(64, 6), workers=2, guess=0.1)
    assert spread.bound() == Bound(pytest.approx(50.0), None)


def test_a_slice_counts_its_last_place() -> None:
    assert Slice("a", 3, 7).count == 5


def test_nothing_to_do_is_no_shard() -> None:
    planner = Planner([], Limits(), workers=2, guess=0.1)
    assert planner.next() is None
    assert planner.bound() == Bound(0.0, None)
