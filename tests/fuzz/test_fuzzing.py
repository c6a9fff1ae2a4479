"""The fuzzers find what is planted, and a short cut of each target finds nothing."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import run as fuzzing
from fuzz.run import fuzz, main
from fuzz.seeds import WORDS, corpus
from fuzz.targets import TARGETS, Target
from mediamirror.imaging.header import read_header
from mediamirror.imaging.strip import LeftAlone, strip


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_cut_of_each_target_finds_no_crash(name: str) -> None:
    result = fuzz(TARGETS[name], seconds=60, seed=4, executions=60)
    assert (result.executions, result.crashes) == (60, {})
    assert result.shapes > 3, "the inputs lead nowhere"


@given(st.sampled_from([target for target in TARGETS.values() if not target.binary]), st.text())
@settings(max_examples=80, deadline=None)
def test_any_text_is_read_by_any_reader(target: Target, text: str) -> None:
    target.run(text.encode("utf-8", "surrogatepass"))


@given(st.sampled_from(corpus("strip")), st.lists(st.tuples(st.integers(0, 4000), st.sampled_from(WORDS["strip"]))))
@settings(max_examples=150, deadline=None)
def test_any_damage_to_an_image_is_read_and_stripped_or_left_alone(
    image: bytes, damage: list[tuple[int, bytes]]
) -> None:
    data = bytearray(image)
    for at, word in damage:
        data[at % (len(data) + 1) : at % (len(data) + 1) + len(word)] = word
    TARGETS["header"].run(bytes(data))
    TARGETS["strip"].run(bytes(data))


def _planted(data: bytes) -> Hashable:
    if data.count(b",") > 4:
        raise ValueError("planted")
    return data.count(b",")


def _slow(data: bytes) -> Hashable:
    while len(data) > 3:
        pass
    return len(data)


def test_a_planted_crash_is_found_saved_and_makes_the_run_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzzing, "OUT", tmp_path / "out")
    monkeypatch.setitem(fuzzing.TARGETS, "srcset", Target("srcset", _planted))
    assert main(["--seconds", "1", "--engine", "mutate", "srcset"]) == 1
    (saved,) = (tmp_path / "out").iterdir()
    said = capsys.readouterr().out
    assert "ValueError at test_fuzzing.py" in said
    assert str(saved) in said
    with pytest.raises(ValueError, match="planted"):
        main(["--replay", str(saved), "srcset"])


def test_an_input_that_never_ends_is_stopped_and_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "CPU_SECONDS", 0.1)
    result = fuzz(Target("srcset", _slow), seconds=60, seed=1, executions=2)
    assert [*result.crashes] == ["took more than 0.1 s of CPU time"]


def test_the_same_seed_gives_the_same_inputs() -> None:
    def inputs(seed: int) -> list[bytes]:
        seen: list[bytes] = []
        fuzz(Target("sizes", lambda data: seen.append(data) or len(data) % 7), seconds=60, seed=seed, executions=300)
        return seen

    assert inputs(3) == inputs(3)
    assert inputs(3) != inputs(4)


# What fuzzing found, each as an input of its own.

FOUND = {
    "a WebP whose RIFF ends before its picture": b"RIFF\0\0\0\0WEBPVP8 \0\1\0\0"
    + b"\x30\6\0\x9d\1\x2a\x18\0\x10\0"
    + bytes(80),
    "a JPEG whose frame header says a length of two": bytes.fromhex("ffd8ffc00002110010001803012200021101031101ffd9"),
}


@pytest.mark.parametrize("name", FOUND)
def test_images_whose_structure_contradicts_itself_are_left_alone(name: str) -> None:
    read_header(FOUND[name])
    with pytest.raises(LeftAlone):
        strip(FOUND[name])


def test_a_jfif_segment_that_is_too_long_becomes_one_of_its_true_length() -> None:
    image = next(data for data in corpus("strip") if data[:4] == b"\xff\xd8\xff\xe0")
    longer = image[:4] + b"\0\x20" + image[6:20] + b"sixteen bytes...\0\0"[:16] + image[20:]
    assert strip(longer) == image
