"""No document gives more sets, and no set more candidates, than allowed; what is left out is said once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mediamirror.documents.look import bounded
from mediamirror.model import Candidate, Extraction, ImageSet, Problem, Source
from mediamirror.settings import ReadOptions


def candidate(n: int) -> Candidate:
    return Candidate(f"https://example.org/{n}.png", (0, 0))


SOURCES = st.builds(
    lambda count, default: Source("img", tuple(candidate(n) for n in range(count)), candidate(99) if default else None),
    st.integers(0, 6),
    st.booleans(),
)
SETS = st.builds(lambda sources: ImageSet("page.html", 7, tuple(sources)), st.lists(SOURCES, max_size=3))
PARTS = st.lists(
    st.builds(lambda sets: Extraction(tuple(sets), (Problem("odd", "Odd."),)), st.lists(SETS, max_size=4)), max_size=4
)


@given(PARTS, st.integers(1, 10), st.integers(1, 10))
def test_what_is_taken_is_the_beginning_and_what_is_left_out_is_said_once(parts, most_sets, most_candidates):
    options = ReadOptions(max_sets=most_sets, max_candidates=most_candidates)
    given_sets = [each for part in parts for each in part.sets]
    taken = list(bounded(parts, options, "page.html"))
    sets = [each for part in taken for each in part.sets]
    assert len(sets) == min(len(given_sets), most_sets)
    codes = [p.code for part in taken for p in part.problems]
    assert codes.count("too-many-sets") == (len(given_sets) > most_sets)
    for before, after in zip(given_sets, sets, strict=False):
        assert len(after.candidates) == min(len(before.candidates), most_candidates)
        assert {c.url for c in after.candidates} <= {c.url for c in before.candidates}
        said = [p.code for p in after.problems]
        assert said == (["too-many-candidates"] if len(before.candidates) > most_candidates else [])
        assert after is before or said


@given(PARTS)
def test_nothing_changes_within_the_limits(parts):
    assert list(bounded(parts, ReadOptions(), "page.html")) == parts
