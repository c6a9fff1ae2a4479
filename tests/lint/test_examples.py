"""The example of each rule sets it off as it stands there, and what is shown instead sets off nothing."""

from __future__ import annotations

import functools
import io
import re
import struct
from dataclasses import replace
from urllib.parse import unquote

import pytest
from looking import Seen, facts_of, look_at_all, options, sets_of
from PIL import Image

from fixtures.defects.base import Case, File, made, picture
from fixtures.defects.files import calm, wide_profile
from fixtures.images import PAGE, encode, exif_block, huge_canvas_webp, make_animation
from mediamirror.jobs.verify.job import StandardBrowser
from mediamirror.lint import all_rules, check_set, get_rule
from mediamirror.lint.rules import Words
from mediamirror.lint.suppress import apply
from mediamirror.model import Finding

FORMATS = {"webp": "webp", "jpg": "jpeg", "png": "png"}
SEEDS = {"harbour": 0, "market": 7, "placeholder": 0}
RULES = [rule.code for rule in all_rules() if not rule.code.startswith("MM5")]


def file_of(name: str, words: str) -> File:
    """The file that an example calls ``name`` and of which it says ``words``; without words the name says all."""
    said = re.fullmatch(r"(\d+) pixels wide(?:, (.+))?", words) or re.fullmatch(r"(\d+) x \d+ pixels(?:, (.+))?", words)
    wide = re.search(r"-(\d+)w?\.", name)
    width = int(said[1] if said else wide[1] if wide else 640)
    format = FORMATS[name.rpartition(".")[2]]
    tall = re.match(r"\d+ x (\d+) pixels", words)
    image = picture(width, int(tall[1]) if tall else None, seed=SEEDS.get(re.match("[a-z]*", name)[0], 0))  # type: ignore[index]
    return special(said[2] or "" if said else words, image, format) or made(image, format)


def special(words: str, image: Image.Image, format: str) -> File | None:
    whole = made(image, format)
    quality = re.fullmatch(r"quality (\d+)(?:, as the others have)?", words)
    enlarged = re.fullmatch(r"enlarged from (\d+)", words)
    if quality:
        return made(image, format, quality=int(quality[1]))
    if enlarged:
        return made(picture(int(enlarged[1])).resize(image.size, Image.Resampling.BICUBIC), format)
    broken = bytearray(whole.data)
    broken[len(broken) // 2 : len(broken) // 2 + 64] = bytes(64)
    known = {
        "WebP": lambda: made(image, "webp"),
        "the first half of a WebP file": lambda: replace(whole, data=whole.data[: len(whole.data) // 2]),
        "a PNG with 64 bytes of zeros in its middle": lambda: replace(whole, data=bytes(broken)),
        "an HTML page": lambda: File(PAGE, "text/html"),
        "16,383 x 16,383 pixels": lambda: File(huge_canvas_webp()),
        "animated": lambda: File(make_animation(*image.size, "webp")),
        "laid on its side by EXIF": lambda: File(encode(image, format, exif=exif_block(orientation=6)), "image/jpeg"),
        "laid on its side by EXIF behind XMP": lambda: File(
            behind_xmp(encode(image, format, exif=exif_block(orientation=6)))
        ),
        "with a text whose check value is wrong": lambda: replace(
            whole, data=whole.data[:33] + struct.pack(">I4s4sI", 4, b"tEXt", b"a\0bc", 0) + whole.data[33:]
        ),
        "with a GPS position": lambda: made(image, format, exif=exif_block(gps=True)),
        "CMYK": lambda: made(image.convert("CMYK"), format),
        "calm colours with a profile for vivid ones": lambda: made(calm(image), format, icc_profile=wide_profile()),
        "lossless; the others have quality 80": lambda: made(image, format, lossless=True),
        "its first frame only": lambda: made(first_frame(image), format),
        **dict.fromkeys(("", "the whole file", "a WebP image", "without EXIF", "RGB", "sRGB"), lambda: whole),
        **dict.fromkeys(("a photograph as PNG", "the same as WebP", "made from the original"), lambda: whole),
    }
    return known[words]()  # an example says nothing that is not tried here


def behind_xmp(data: bytes) -> bytes:
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    return data[:2] + struct.pack(">BBH", 0xFF, 0xE1, 2 + len(xmp)) + xmp + data[2:]


def first_frame(image: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(make_animation(*image.size, "webp"))).convert("RGB")


def answered(text: str) -> dict[str, File]:
    """What the server of an example gives out for one picture; headers that it leaves out are sound."""
    head, _, body = text.partition("\n\n")
    status = int(head.split()[1])
    headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:])
    data = made(picture(640)).data if body == "(a WebP image)" else PAGE if body == "(an HTML page)" else b""
    told = tuple(pair for pair in headers.items() if pair[0] == "cache-control")
    length = int(headers["content-length"]) if "content-length" in headers else None
    whole = File(data, headers.get("content-type"), told, status, headers.get("location"), length)
    return {"/harbour.webp": whole, "/placeholder-640.webp": made(picture(640))}


def case_of(code: str, example: Words, *, good: bool) -> Case:
    text, files = (example.good, example.good_files) if good else (example.bad, example.bad_files)
    ladder = example.options.removeprefix("--ladder ") if "--ladder" in example.options else ""
    estimate = "--estimate" in example.options
    if text.startswith("HTTP/"):
        served = answered(text)
        if code not in ("MM205", "MM206"):
            sound = (("cache-control", "max-age=31536000"),)
            served = {path: replace(file, headers=sound) for path, file in served.items()}
        return Case(code, code, '<img src="/harbour.webp" alt="The harbour">', served)
    names = {unquote(name) for name in re.findall(r"[\w%{}.-]+\.(?:webp|jpg|png)", text)}
    made_of = {f"/{name.replace(' ', '%20')}": file_of(name, files.get(name, "")) for name in names}
    return Case(code, code, text, made_of, ladder=ladder, estimate=estimate)


@functools.cache
def cases() -> dict[tuple[str, bool], Case]:
    shown = {code: get_rule(code).words for code in RULES}
    return {(code, good): case_of(code, shown[code], good=good) for code in shown for good in (False, True)}


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, bool], list[str]]:
    """The rules that each example sets off, switched off ones left out; by code and whether it is the good one."""
    seen = look_at_all(cases().values())
    return {key: found_in(case, seen) for key, case in cases().items()}


def found_in(case: Case, seen: dict[tuple[bytes, bool], Seen]) -> list[str]:
    known = facts_of(case, seen)
    kept: list[Finding] = []
    for each in sets_of(case):
        findings = check_set(each, known, options(case), browser=StandardBrowser())
        kept += apply(each, findings, (), ())[0]
    return [finding.rule for finding in kept]


def test_every_rule_shows_what_is_wrong_and_what_to_write_instead() -> None:
    assert [rule.code for rule in all_rules() if not (rule.words.bad and rule.words.good)] == []


@pytest.mark.parametrize("code", RULES)
def test_what_a_rule_shows_as_wrong_sets_it_off(code: str, found: dict[tuple[str, bool], list[str]]) -> None:
    assert code in found[code, False]


@pytest.mark.parametrize("code", RULES)
def test_what_a_rule_shows_instead_sets_off_nothing(code: str, found: dict[tuple[str, bool], list[str]]) -> None:
    assert found[code, True] == []
