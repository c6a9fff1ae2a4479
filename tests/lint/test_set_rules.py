"""What the rules about sets say beyond firing: the words of the findings, what explains what, and what is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from looking import BROWSER, Seen, findings_of, look_at_all, options, sets_of
from PIL import Image, ImageFilter

from fixtures.defects import SITE, SOUND, Case, File
from fixtures.defects.base import defect, file, img, ladder, ladder_with, made, picture, srcset
from fixtures.images import exif_block
from mediamirror.errors import HTTPStatus, NotAnImage
from mediamirror.lint import VariantFacts, check_set, choose_checks, choose_codes
from mediamirror.lint.upscaling import gains_nothing
from mediamirror.model import Candidate, Finding, ImageFacts, ImageSet, Reference, Source

ALL = options(SOUND)


def at(path: str) -> str:
    return SITE + path


def bare(*sizes: tuple[int, int], format: str = "webp") -> dict[str, VariantFacts]:
    """Facts from headers only, for /1.webp, /2.webp and so on."""
    return {at(f"/{number}.webp"): VariantFacts(ImageFacts(format, *size)) for number, size in enumerate(sizes, 1)}


def one_set(html: str) -> ImageSet:
    (found,) = sets_of(Case("", "", html, {}))
    return found


def check(html: str, facts: Mapping[str, VariantFacts], **changes: object) -> list[Finding]:
    chosen = replace(ALL, **changes)  # type: ignore[arg-type]
    return list(check_set(one_set(html), facts, chosen, browser=BROWSER))


def codes(findings: list[Finding]) -> list[str]:
    return [finding.rule for finding in findings]


def image(*widths: int, sizes: str = "100px") -> str:
    candidates = ", ".join(f"/{number}.webp {width}w" for number, width in enumerate(widths, 1))
    return f'<img src="/1.webp" srcset="{candidates}" sizes="{sizes}" alt="">'


def look(*cases: Case) -> dict[tuple[bytes, bool], Seen]:
    return look_at_all(cases)


def test_a_generator_that_never_upscales_is_one_finding_with_the_srcset_as_it_should_be() -> None:
    (finding,) = check(image(480, 768, 1280, 1920), bare((480, 320), (768, 512), (1200, 800), (1200, 800)))
    assert finding.message == (
        "Declared 1280w, 1920w, but nothing was enlarged: the files are 1200 pixels wide. "
        'Corrected: srcset="/1.webp 480w, /2.webp 768w, /3.webp 1200w".'
    )
    assert (finding.rule, finding.declared, finding.actual) == ("MM309", "1280w, 1920w", "1200 pixels")


def test_where_one_of_the_equal_files_is_as_declared_that_one_stays() -> None:
    (finding,) = check(image(480, 1200, 1920), bare((480, 320), (1200, 800), (1200, 800)))
    assert finding.message.endswith('Corrected: srcset="/1.webp 480w, /2.webp 1200w".')
    assert finding.declared == "1920w"


def test_of_equal_files_the_one_with_the_nearest_claim_stays_and_a_claim_too_small_is_told_by_itself() -> None:
    found = check(image(32, 1080, 1920, 2048), bare((1600, 1000), (1600, 1000), (1600, 1000), (1600, 1000)))
    told = {(finding.rule, finding.declared) for finding in found}
    assert told == {("MM309", "1920w, 2048w"), ("MM301", "32"), ("MM301", "1080")}
    (finding,) = (finding for finding in found if finding.rule == "MM309")
    assert finding.message.endswith('Corrected: srcset="/3.webp 1600w".')


def test_two_claims_that_are_both_too_small_are_two_broken_promises() -> None:
    found = check(image(32, 1080), bare((1600, 1000), (1600, 1000)))
    assert {(finding.rule, finding.declared) for finding in found} == {("MM301", "32"), ("MM301", "1080")}


@pytest.mark.parametrize("blocks", [16, 24, 32])
@pytest.mark.parametrize("kind", [Image.Resampling.NEAREST, Image.Resampling.BICUBIC])
@pytest.mark.parametrize("widths", [(320, 480), (240, 960), (100, 480)])
def test_a_placeholder_among_the_rungs_has_less_detail_than_a_narrower_one(
    blocks: int, kind: Image.Resampling, widths: tuple[int, int]
) -> None:
    narrow, wide = (picture(width) for width in widths)
    small = wide.resize((blocks, round(blocks * wide.height / wide.width)), Image.Resampling.BOX)
    files = {"/1.webp": made(narrow), "/2.webp": made(small.resize(wide.size, kind))}
    case = Case("", "", image(*widths), files)
    found = [f for f in findings_of(case, look(case)) if f.rule in ("MM311", "MM312")]
    if blocks == 16:  # too few to be sure that the two show one picture
        assert len(found) == 1
        return
    assert [(f.rule, f.url, "a placeholder, enlarged" in f.message) for f in found] == [("MM312", at("/2.webp"), True)]


@pytest.mark.parametrize(
    "options", [{"quality": 10}, {"quality": 30}, {"format": "jpeg", "quality": 8}, {"format": "avif"}]
)
@pytest.mark.parametrize("blur", [0, 2])
def test_a_wide_rung_of_low_quality_or_softness_is_no_placeholder(options: dict[str, object], blur: int) -> None:
    wide = picture(960).filter(ImageFilter.GaussianBlur(blur))
    case = Case("", "", image(320, 960), {"/1.webp": made(picture(320)), "/2.webp": made(wide, **options)})  # type: ignore[arg-type]
    assert "MM312" not in codes(findings_of(case, look(case)))


@pytest.mark.parametrize("densities", ["/2.webp 1.5x, /3.webp 2x", "/2.webp 450w, /3.webp 600w"])
def test_rungs_that_were_shrunk_softly_from_an_original_beside_them_are_not_enlarged(densities: str) -> None:
    original = picture(451)
    files = {
        "/1.webp": made(original.resize((300, 200), Image.Resampling.BILINEAR), lossless=True),
        "/2.webp": made(original.resize((450, 300), Image.Resampling.BILINEAR, reducing_gap=None), lossless=True),
        "/3.webp": made(original, lossless=True),
    }
    case = Case("", "", f'<img src="/1.webp" srcset="{densities}" width="300" alt="">', files)
    assert "MM312" not in codes(findings_of(case, look(case)))


@pytest.mark.parametrize("turned", [1, 6, 8])
def test_what_was_enlarged_is_found_and_what_was_not_is_left_alone_whichever_way_up_it_is_stored(turned: int) -> None:
    back = {1: None, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[turned]

    def stored(image: Image.Image) -> File:
        options = {"quality": 90, "exif": exif_block(orientation=turned)}
        return made(image if back is None else image.transpose(back), "jpeg", **options)

    wide = picture(640, 400)
    enlarged = picture(320, 200).resize(wide.size, Image.Resampling.BICUBIC)
    for image_, told in ((wide, False), (enlarged, True)):
        files = {"/1.webp": stored(picture(320, 200)), "/2.webp": stored(image_)}
        case = Case("", "", image(320, 640), files)
        assert ("MM312" in codes(findings_of(case, look(case)))) is told


def test_one_file_under_all_widths_is_one_finding() -> None:
    html = '<img src="/1.webp" srcset="/1.webp 480w, /1.webp 960w, /1.webp 1920w" sizes="100px" alt="">'
    (finding,) = check(html, bare((480, 320)))
    assert (finding.rule, finding.declared) == ("MM309", "960w, 1920w")


def test_two_formats_of_a_set_that_was_never_upscaled_are_one_finding() -> None:
    webp = ", ".join(f"/{n}.webp {w}w" for n, w in ((1, 480), (2, 960), (3, 1920)))
    jpeg = webp.replace(".webp", ".jpg")
    html = f'<picture><source type="image/webp" srcset="{webp}" sizes="100px">'
    html += f'<img src="/1.jpg" srcset="{jpeg}" sizes="100px" alt=""></picture>'
    facts = bare((480, 320), (720, 480), (720, 480))
    jpegs = {
        url.replace(".webp", ".jpg"): VariantFacts(ImageFacts("jpeg", f.facts.width, f.facts.height))
        for url, f in facts.items()
        if f.facts
    }
    (finding,) = check(html, {**facts, **jpegs})
    assert finding.message.count("srcset=") == 2


def test_a_rule_that_is_switched_off_leaves_the_findings_that_it_would_explain() -> None:
    facts = bare((480, 320), (1200, 800), (1200, 800))
    found = check(image(480, 1280, 1920), facts, codes=choose_codes(ignore=["MM309"]))
    assert codes(found) == ["MM301", "MM301"]


def test_of_a_wrong_width_that_name_and_descriptor_share_one_is_told() -> None:
    html = '<img src="/a-640w.webp" srcset="/a-640w.webp 640w, /a-320w.webp 320w" sizes="100px" alt="">'
    facts = {at("/a-640w.webp"): VariantFacts(ImageFacts("webp", 600, 400))}
    assert codes(check(html, facts)) == ["MM301"]


def test_of_files_that_were_not_looked_at_nothing_is_said() -> None:
    assert check(image(480, 960), {}) == []


def test_a_file_that_is_gone_has_one_finding_with_its_status() -> None:
    gone = VariantFacts(HTTPStatus("The server answered 404.", status=404))
    (finding,) = check(image(480, 960), {at("/2.webp"): gone})
    assert (finding.rule, finding.actual, finding.url) == ("MM203", "404", at("/2.webp"))


def test_what_came_in_place_of_an_image_is_named() -> None:
    page = VariantFacts(NotAnImage("This is an HTML page.", kind="html"))
    (finding,) = check(image(480, 960), {at("/2.webp"): page})
    assert (finding.rule, finding.actual) == ("MM307", "html")


@pytest.mark.parametrize(
    ("small", "large", "found"),
    [
        ((480, 320), (1920, 1280), []),
        ((480, 319), (1920, 1280), []),
        ((480, 321), (1920, 1280), []),
        ((480, 317), (1920, 1280), ["MM310"]),
        ((480, 360), (1920, 1080), ["MM310"]),
        ((101, 57), (1920, 1080), []),
        ((20, 13), (1920, 1280), []),
        ((20, 16), (1920, 1280), ["MM310"]),
    ],
)
def test_shapes_may_differ_by_rounding_only(small: tuple[int, int], large: tuple[int, int], found: list[str]) -> None:
    assert codes(check(image(small[0], large[0], sizes="10px"), bare(small, large), ladder=())) == found


def test_the_odd_shape_is_told_and_not_its_siblings() -> None:
    found = check(image(480, 960, 1920), bare((480, 320), (960, 540), (1920, 1280)))
    assert [(f.rule, f.url, f.declared, f.actual) for f in found] == [("MM310", at("/2.webp"), "1.500:1", "1.778:1")]


def test_exif_turns_a_shape_before_it_is_compared() -> None:
    turned = VariantFacts(ImageFacts("jpeg", 960, 640, orientation=6))
    found = check(image(320, 640), {**bare((320, 480)), at("/2.webp"): turned}, codes=choose_codes(["MM310"]))
    assert found == []


def test_dimension_attributes_of_the_stored_size_are_against_a_turned_picture() -> None:
    place = Reference("p.html", "img", "src", 3)
    default = Candidate(at("/1.webp"), (0, 1), reference=place)
    turned = {at("/1.webp"): VariantFacts(ImageFacts("jpeg", 640, 427, orientation=6))}
    for width, height, found in ((640, 427, ["MM314"]), (427, 640, []), (None, None, [])):
        source = Source("img", default=default, width=width, height=height)
        findings = check_set(ImageSet("p.html", 3, (source,)), turned, ALL, browser=BROWSER)
        assert [f.rule for f in findings if f.rule == "MM314"] == found


def test_a_picture_that_is_another_is_told_once_even_when_its_shape_differs_too() -> None:
    one, two, three = ladder()
    mixed = defect("", "", img(srcset([one, two, three])), ladder_with({640: made(picture(640, 360, seed=9))}))
    (finding,) = findings_of(mixed, look(mixed))
    assert (finding.rule, finding.url) == ("MM311", at(two))
    assert finding.message == "harbour-640w.webp shows a different image than harbour-960w.webp."


def test_a_part_of_the_picture_has_another_shape_and_is_no_other_picture() -> None:
    whole = picture(960)
    for box in ((0, 0, 640, 640), (160, 0, 800, 640), (0, 100, 960, 540)):
        cut = defect("", "", img("/a.webp 1x, /b.webp 2x", src="/a.webp", sizes=None), {})
        cut = replace(cut, files={"/a.webp": file(320), "/b.webp": made(whole.crop(box))})
        assert codes(findings_of(cut, look(cut))) == ["MM310"], box


def test_formats_and_transparency_make_no_other_picture() -> None:
    files = {"/a.png": made(picture(320).convert("RGBA"), "png"), "/b.jpg": made(picture(320), "jpeg", quality=30)}
    files |= {"/c.gif": made(picture(320).quantize(64), "gif"), "/d.avif": made(picture(320), "avif")}
    files["/e.jpg"] = made(picture(320).convert("CMYK"), "jpeg")
    html = "".join(f'<source srcset="{path}">' for path in files)
    case = defect("", "", f'<picture>{html}<img src="/a.png" alt=""></picture>', files)
    found = [f for f in findings_of(case, look(case)) if f.rule in ("MM310", "MM311", "MM110")]
    assert found == []


def test_rungs_without_detail_beyond_the_next_smaller_one_gain_nothing() -> None:
    sharp = ((0.94, 1.3), (0.65, 3.0), (0.42, 4.6), (0.22, 7.0), (0.12, 10.0))
    enlarged = ((0.94, 0.5), (0.65, 0.9), (0.42, 1.4), (0.22, 5.0), (0.12, 8.0))
    soft = ((0.94, 0.2), (0.65, 0.3), (0.42, 0.4), (0.22, 0.8), (0.12, 2.0))
    assert [gains_nothing(each, 1 / 3) for each in (sharp, enlarged, soft)] == [False, True, False]
    assert not gains_nothing(enlarged, 0.9)


def test_the_ladder_is_asked_of_every_source_and_told_once() -> None:
    html = '<picture><source type="image/webp" srcset="/1.webp 480w, /2.webp 960w" sizes="100px">'
    html += '<img src="/1.jpg" srcset="/1.jpg 480w, /2.jpg 1280w" sizes="100px" alt=""></picture>'
    (finding,) = check(html, {}, ladder=(480, 960, 1280))
    assert (finding.rule, finding.severity, finding.declared) == ("MM401", "error", "960w, 1280w")


def test_a_plain_image_is_no_ladder() -> None:
    assert check('<img src="/1.webp" alt="">', {}, ladder=(480, 960)) == []


def test_a_step_is_judged_by_its_real_bytes() -> None:
    one, two = (at("/1.webp"), at("/2.webp"))
    facts = bare((480, 320), (1920, 1280))
    heavy = {one: replace(facts[one], size=20_000), two: replace(facts[two], size=220_000)}
    light = {**heavy, two: replace(facts[two], size=40_000)}
    assert codes(check(image(480, 1920), heavy)) == ["MM402"]
    assert codes(check(image(480, 1920), light)) == []


def test_a_lazy_loaders_attributes_are_not_held_to_the_rules_of_markup() -> None:
    place = Reference("p.html", "img", "data-srcset", 1)
    rows = tuple(Candidate(at(f"/{w}.webp"), (0, 1), width=w, reference=place) for w in (480, 960))
    lazy = ImageSet("p.html", 1, (Source("img", rows, sizes="auto"),))
    assert check_set(lazy, {}, ALL, browser=BROWSER) == ()


def test_a_source_that_a_script_will_complete_is_not_useless() -> None:
    place = Reference("p.html", "source", "data-srcset", 1)
    row = Candidate(at("/1.webp"), (0, 1), reference=place)
    img = Source("img", default=replace(row, reference=replace(place, carrier="img", attribute="src")))
    lazy = ImageSet("p.html", 1, (Source("source", (row,), ignored="no-srcset"), img))
    assert check_set(lazy, {}, ALL, browser=BROWSER) == ()


@pytest.mark.parametrize(
    ("src", "candidates", "found"),
    [
        ("/market.jpg", "/harbour-480.webp 480w, /harbour-960.webp 960w", ["MM110"]),
        ("/harbour.jpg", "/harbour-480.webp 480w, /harbour-960.webp 960w", []),
        ("/harbour-480x320.jpg", "/harbour.webp 480w, /harbour@2x.webp 960w", []),
        ("/9f3c.jpg", "/a77b01.webp 480w, /c4d2e8.webp 960w", []),
        ("/fallback.jpg", "/harbour.avif 480w", []),
        ("/image?url=a&amp;w=640", "/image?url=a&amp;w=480 480w, /image?url=a&amp;w=960 960w", []),
    ],
)
def test_without_pixels_a_name_decides_whether_the_fallback_belongs(
    src: str, candidates: str, found: list[str]
) -> None:
    assert codes(check(f'<img src="{src}" srcset="{candidates}" sizes="100px" alt="">', {})) == found


def test_text_has_no_sizes_to_miss() -> None:
    place = Reference("a.txt", "text", None, 1)
    rows = tuple(Candidate(at(f"/{w}.webp"), (0, 1), width=w, reference=place) for w in (480, 960))
    assert check_set(ImageSet("a.txt", 1, (Source("text", rows),)), {}, ALL, browser=BROWSER) == ()


@pytest.mark.parametrize(
    ("select", "ignore", "runs"),
    [
        ([], [], "MM301 MM302 MM401"),
        (["MM3"], [], "MM301 MM302"),
        (["mm301", "missing-rung"], [], "MM301 MM401"),
        ([], ["MM3"], "MM401"),
        (["MM301"], ["MM3"], "MM301"),
        (["MM3"], ["MM301"], "MM302"),
        (["MM301"], ["MM301"], ""),
        (["MM"], ["MM4", "MM302"], "MM301"),
    ],
)
def test_the_longer_word_decides_which_rules_run(select: list[str], ignore: list[str], runs: str) -> None:
    chosen = choose_codes(select, ignore)
    assert " ".join(code for code in ("MM301", "MM302", "MM401") if code in chosen) == runs


@pytest.mark.parametrize(
    ("select", "ignore", "runs"),
    [
        (["MM310"], [], "MM208 MM305 MM310"),
        (["MM310"], ["MM208"], "MM305 MM310"),
        (["MM310"], ["MM2", "truncated"], "MM310"),
        (["MM208"], ["MM2"], "MM208 MM305"),
        ([], ["MM208"], "MM305 MM310"),
    ],
)
def test_whether_a_file_could_be_read_is_asked_beside_every_selection(
    select: list[str], ignore: list[str], runs: str
) -> None:
    chosen = choose_checks(select, ignore)
    assert " ".join(code for code in ("MM208", "MM305", "MM310") if code in chosen) == runs


_URLS = st.sampled_from([at(f"/{n}.webp") for n in range(4)] + ["", "x", at("/ü,b.jpg"), at("/9.jpg,/8.jpg")])
_WIDTHS = st.none() | st.integers(1, 5000) | st.just(10**30)
_CANDIDATES = st.builds(
    lambda url, width, density: Candidate(url, (0, len(url)), width, density if width is None else None, raw_url=url),
    _URLS,
    _WIDTHS,
    st.none() | st.floats(0, 8),
)
_SOURCES = st.builds(
    Source,
    st.sampled_from(["img", "source", "link", "text", "css"]),
    st.lists(_CANDIDATES, max_size=5).map(tuple),
    st.none() | _CANDIDATES,
    st.none() | st.text(max_size=12) | st.just("(min-width: 9999999999999px)"),
    st.none() | st.text(max_size=12),
    st.none() | st.text(max_size=12),
    st.booleans(),
    st.sampled_from([None, "after-img", "no-srcset", "odd"]),
)
_FACTS = st.builds(
    lambda w, h, o, frames, size: VariantFacts(ImageFacts("webp", w, h, frames=frames, orientation=o), size=size),
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.none() | st.integers(1, 8),
    st.none() | st.integers(1, 3),
    st.none() | st.integers(0, 10**6),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(_SOURCES, max_size=4), st.dictionaries(_URLS, _FACTS, max_size=6))
def test_any_set_can_be_checked_and_each_finding_is_told_once(
    sources: list[Source], facts: dict[str, VariantFacts]
) -> None:
    found = check_set(ImageSet("p", 1, tuple(sources)), facts, replace(ALL, ladder=(480,)), browser=BROWSER)
    assert len(set(found)) == len(found)
    assert [f.rule for f in found] == sorted(f.rule for f in found)


def test_the_sound_set_stays_sound_in_a_header_check() -> None:
    facts = {
        at(p): VariantFacts(ImageFacts("webp", w, round(w / 1.501)))
        for p, w in zip(ladder(), (320, 640, 960), strict=True)
    }
    assert check_set(one_set(SOUND.html), facts, ALL, browser=BROWSER) == ()


def test_files_of_a_case_can_be_served() -> None:
    assert all(isinstance(each, File) and path.startswith("/") for path, each in SOUND.files.items())
