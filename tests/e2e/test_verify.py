"""``mediamirror verify``, run as a CI job runs it: on a built site, and on pages of a real server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from xml.etree import ElementTree

import pytest

from fixtures.images import make_image
from fixtures.patience import PATIENCE
from fixtures.site import Site

Command = Callable[..., CompletedProcess[str]]

SOUND = (
    '<!doctype html><img alt="harbour" src="/img/a-960.webp" width="1600" height="900" sizes="100vw" '
    'srcset="/img/a-480.webp 480w, /img/a-960.webp 960w, /img/a-1920.webp 1920w, /img/a-2880.webp 2880w">\n'
)
NO_UPSCALE = (
    '<img alt="mill" src="img/b-960.jpg" sizes="100vw" '
    'srcset="img/b-480.jpg 480w, img/b-960.jpg 960w, img/b-1440.jpg 1440w, img/b-1920.jpg 1920w">\n'
)


@pytest.fixture(scope="module")
def pictures() -> dict[str, bytes]:
    small = make_image(960, 540, "jpeg", seed=2)
    ladder = {f"a-{w}.webp": make_image(w, w * 9 // 16, "webp", seed=1) for w in (480, 960, 1920, 2880)}
    mill = {"b-480.jpg": make_image(480, 270, "jpeg", seed=2)} | {f"b-{w}.jpg": small for w in (960, 1440, 1920)}
    return ladder | mill


@pytest.fixture
def dist(tmp_path: Path, pictures: dict[str, bytes]) -> Path:
    folder = tmp_path / "dist"
    (folder / "img").mkdir(parents=True)
    for name, data in pictures.items():
        (folder / "img" / name).write_bytes(data)
    (folder / "index.html").write_text(SOUND + NO_UPSCALE)
    return folder


def findings(done: CompletedProcess[str]) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows, done.stderr
    assert rows[-1]["type"] == "summary"
    return [row for row in rows if row["type"] == "finding" and row["severity"] != "note"]


def test_a_sound_page_has_no_error_and_no_warning(mediamirror: Command, dist: Path) -> None:
    (dist / "index.html").write_text(SOUND)
    done = mediamirror("verify", str(dist), "--root", str(dist), "--fail-on", "warning", "--format", "jsonl")
    assert (done.returncode, findings(done)) == (0, []), done.stderr


def test_the_no_upscale_set_is_one_finding_with_the_corrected_srcset(mediamirror: Command, dist: Path) -> None:
    done = mediamirror("verify", str(dist), "--root", str(dist), "--format", "jsonl")
    (found,) = findings(done)
    assert (done.returncode, found["rule"], found["line"]) == (1, "MM309", 2)
    assert 'srcset="img/b-480.jpg 480w, img/b-960.jpg 960w"' in found["message"]


def test_what_cant_be_read_fails_the_run_whatever_rules_are_selected(mediamirror: Command, dist: Path) -> None:
    (dist / "index.html").write_text(SOUND)
    (dist / "img" / "a-480.webp").unlink()
    whole = (dist / "img" / "a-960.webp").read_bytes()
    (dist / "img" / "a-960.webp").write_bytes(whole[: len(whole) // 2])
    words = ("verify", str(dist), "--root", str(dist), "--select", "MM310", "--format", "jsonl")
    done = mediamirror(*words)
    told = {found["rule"]: found["url"].rpartition("/")[2] for found in findings(done)}
    assert (done.returncode, told) == (1, {"MM203": "a-480.webp", "MM305": "a-960.webp"})
    assert mediamirror(*words, "--ignore", "MM203,truncated").returncode == 0


def test_fail_on_never_is_0_and_ignored_rules_are_not_told(mediamirror: Command, dist: Path) -> None:
    words = ("verify", str(dist), "--root", str(dist), "--format", "jsonl")
    assert mediamirror(*words, "--fail-on", "never").returncode == 0
    ignored = mediamirror(*words, "--ignore", "MM309", "--select", "MM3")
    assert {row["rule"] for row in findings(ignored)} == {"MM301"}


def test_a_rule_that_does_not_exist_is_named_with_the_nearest_that_does(mediamirror: Command, dist: Path) -> None:
    done = mediamirror("verify", str(dist), "--select", "MM3O9")
    assert (done.returncode, "MM309" in done.stderr) == (2, True), done.stderr


def test_a_baseline_counts_only_what_is_new(mediamirror: Command, dist: Path, tmp_path: Path) -> None:
    words = ("verify", str(dist), "--root", str(dist), "--format", "jsonl")
    base = str(tmp_path / "base.json")
    assert mediamirror(*words, "--write-baseline", base).returncode == 0
    assert mediamirror(*words, "--baseline", base).returncode == 0
    (dist / "index.html").write_text("<p>A line above</p>\n" + SOUND + NO_UPSCALE + '<img alt="" src="img/none.png">')
    done = mediamirror(*words, "--baseline", base)
    assert (done.returncode, [row["rule"] for row in findings(done)]) == (1, ["MM203"])
    assert mediamirror(*words, "--baseline", str(tmp_path / "none.json")).returncode == 2


def test_a_baseline_never_takes_the_place_of_a_pipe_or_a_device(
    mediamirror: Command, dist: Path, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    done = mediamirror("verify", str(dist / "index.html"), "--root", str(dist), "--write-baseline", str(pipe))
    assert (done.returncode, pipe.is_fifo(), "it is a device, a pipe or a socket" in done.stderr) == (2, True, True)


def test_a_baseline_written_over_an_older_one_keeps_what_is_still_found(
    mediamirror: Command, dist: Path, tmp_path: Path
) -> None:
    words = ("verify", str(dist), "--root", str(dist), "--format", "jsonl")
    base = str(tmp_path / "base.json")
    assert mediamirror(*words, "--write-baseline", base).returncode == 0
    assert mediamirror(*words, "--baseline", base, "--write-baseline", base).returncode == 0
    assert mediamirror(*words, "--baseline", base).returncode == 0


def test_one_accepted_comma_does_not_accept_the_next_dropped_candidate(mediamirror: Command, tmp_path: Path) -> None:
    page, base = tmp_path / "page.html", str(tmp_path / "base.json")
    words = ("verify", str(page), "--root", str(tmp_path), "--select", "MM101", "--fail-on", "warning")
    page.write_text('<img alt="" srcset="a.webp 2q, b.webp 3x">')
    assert mediamirror(*words, "--write-baseline", base).returncode == 0
    page.write_text('<p>Moved</p>\n<img alt="" srcset="a.webp 2q, b.webp 3x">')
    first = mediamirror(*words, "--baseline", base, "--format", "jsonl")
    page.write_text('<img alt="" srcset="a.webp 2q, c.webp 5q, b.webp 3x">')
    then = mediamirror(*words, "--baseline", base, "--format", "jsonl")
    assert ([row["rule"] for row in findings(first)], [row["rule"] for row in findings(then)]) == ([], ["MM101"])


@pytest.mark.parametrize("text", ["{", "[1]", "7", '{"format": 1, "findings": [[]]}'])
def test_a_file_that_is_no_baseline_is_refused_with_what_to_do(mediamirror: Command, tmp_path: Path, text: str) -> None:
    page, base = tmp_path / "page.html", tmp_path / "base.json"
    page.write_text("<p>Nothing</p>")
    base.write_text(text)
    done = mediamirror("verify", str(page), "--baseline", str(base))
    assert (done.returncode, "is no baseline" in done.stderr, "list" in done.stderr) == (2, True, False), done.stderr


def test_a_baseline_that_can_not_be_written_is_refused_before_the_run(mediamirror: Command, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img alt="" src="none.png">')
    done = mediamirror(
        "verify", str(page), "--root", str(tmp_path), "--write-baseline", str(tmp_path / "no" / "b.json")
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert "there is no such folder" in done.stderr


def test_what_can_not_be_fetched_is_a_finding_and_fails_the_run(mediamirror: Command, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img alt="" src="http://127.0.0.1:9/discard.webp"><img alt="" src="ftp://site.example/a.webp">')
    done = mediamirror("verify", str(page), "--format", "jsonl")
    told = sorted((row["rule"], row["actual"]) for row in findings(done))
    assert (done.returncode, told) == (1, [("MM120", None), ("MM208", "port-refused")])
    never = mediamirror("verify", str(page), "--fail-on", "never")
    assert (never.returncode, "allow it with --allow-host 127.0.0.1:9" in never.stdout) == (0, True), never.stdout


def test_a_guarded_address_is_told_with_the_option_that_opens_it(mediamirror: Command, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img alt="" src="http://127.0.0.1:8080/a.webp">')
    done = mediamirror("verify", str(page))
    assert (done.returncode, "MM208" in done.stdout) == (1, True), done.stdout
    assert "--allow-host 127.0.0.1:8080, or every such address with --allow-private" in done.stdout


@pytest.mark.parametrize(
    ("html", "rule"),
    [
        ('<img alt="" src="img/{{ name }}.webp">', "MM113"),
        ('<img alt="" src="">', "MM101"),
        ('<img alt="" src="http://[::/a.webp">', "MM101"),
        ('<img alt="" srcset="img/a-480.webp 100q">', "MM101"),
        ('<template><img alt="" src="img/{{ name }}.webp"></template>', None),
        ('<template><img alt="" src="img/a-480.webp" srcset="img/{{ name }}.webp 2x"></template>', None),
        ('<img alt="" data-src="img/{{ name }}.webp">', None),
        ('<img alt="" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', None),
    ],
)
def test_an_image_of_which_nothing_can_be_used_is_a_finding_unless_it_waits_for_its_script(
    mediamirror: Command, dist: Path, html: str, rule: str | None
) -> None:
    (dist / "index.html").write_text(html)
    done = mediamirror("verify", str(dist), "--root", str(dist), "--fail-on", "warning", "--format", "jsonl")
    expected = [] if rule is None else [(rule, 1)]
    assert [(row["rule"], row["line"]) for row in findings(done)] == expected
    assert done.returncode == len(expected)


def test_a_missing_file_of_a_built_site_is_told_without_an_origin_that_nobody_asked(
    mediamirror: Command, dist: Path
) -> None:
    (dist / "index.html").write_text('<img alt="" src="img/none.webp">')
    done = mediamirror("verify", str(dist), "--root", str(dist))
    assert (done.returncode, "error MM203 line 1: The site has no such file." in done.stdout) == (1, True), done.stdout


def test_a_name_that_turns_text_around_reaches_no_terminal(mediamirror: Command, dist: Path) -> None:
    (dist / "index.html").write_text('<img alt="\u202egpj.exe" src="img/none.webp">', encoding="utf-8")
    done = mediamirror("verify", str(dist), "--root", str(dist))
    assert ("\\u202egpj.exe" in done.stdout, "\u202e" in done.stdout) == (True, False)


def test_a_drawing_and_an_icon_are_left_alone(mediamirror: Command, dist: Path) -> None:
    (dist / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (dist / "index.html").write_text(SOUND + '<img alt="" src="logo.svg">')
    done = mediamirror("verify", str(dist), "--root", str(dist), "--fail-on", "warning", "--format", "jsonl")
    assert (done.returncode, findings(done)) == (0, [])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    (row,) = [row for row in rows if row["type"] == "variant" and row["url"].endswith(".svg")]
    assert (row["status"], row["error"]["code"]) == ("skipped", "format-not-read")


def test_a_built_site_is_never_left(mediamirror: Command, dist: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.webp").write_bytes((dist / "img/a-480.webp").read_bytes())
    (dist / "img/link.webp").symlink_to(tmp_path / "secret.webp")
    (dist / "index.html").write_text(
        '<img alt="" src="img/../../secret.webp"><img alt="" src="img/%2e%2e/%2e%2e/secret.webp">'
        '<img alt="" src="img/link.webp"><img alt="" src="https://elsewhere.example/x.webp">'
    )
    done = mediamirror("verify", str(dist), "--root", str(dist), "--format", "jsonl")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    statuses = {row["url"].rsplit("/", 1)[1]: row["status"] for row in rows if row["type"] == "variant"}
    assert statuses == {"secret.webp": "failed", "link.webp": "failed", "x.webp": "skipped"}


def test_junit_sarif_github_and_markdown_tell_the_same_error(mediamirror: Command, dist: Path) -> None:
    def printed(name: str) -> str:
        return mediamirror("verify", str(dist), "--root", str(dist), "--format", name).stdout

    assert len(ElementTree.fromstring(printed("junit")).findall(".//failure")) == 1
    results = json.loads(printed("sarif"))["runs"][0]["results"]
    assert [r["ruleId"] for r in results if r["level"] == "error"] == ["MM309"]
    assert "::error title=MM309" in printed("github")
    assert "MM309" in printed("md")


def test_the_html_report_has_thumbnails_and_says_where_it_is(mediamirror: Command, dist: Path, tmp_path: Path) -> None:
    done = mediamirror("verify", str(dist), "--root", str(dist), "--report", str(tmp_path / "report"))
    assert "report/index.html" in done.stderr
    assert len(list((tmp_path / "report" / "thumbs").iterdir())) >= 4
    assert "MM309" in (tmp_path / "report" / "index.html").read_text()


def test_a_report_folder_that_is_somebody_elses_is_refused_before_the_run(
    mediamirror: Command, dist: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("my page")
    done = mediamirror("verify", str(dist), "--root", str(dist), "--report", str(tmp_path / "mine"))
    assert (done.returncode, (tmp_path / "mine" / "index.html").read_text()) == (2, "my page"), done.stderr


def test_a_header_check_over_the_network_fetches_only_the_beginning(mediamirror: Command, site: Site) -> None:
    words = ("verify", "fixtures/seed/news-by.txt", *site.arguments(), "--format", "jsonl")
    done = mediamirror(*words, "--check", "header")
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, findings(done)) == (0, [])
    assert summary["bytes_saved"] > 100_000
    assert {r.status for r in site.bodies()} == {206}
    whole = sum(r.body_bytes for r in site.bodies()) + summary["bytes_saved"]
    assert json.loads(mediamirror(*words).stdout.splitlines()[-1])["bytes_in"] == whole


def test_the_liar_is_found_in_a_page_and_in_a_dump(mediamirror: Command, site: Site) -> None:
    done = mediamirror("verify", "fixtures/demo/clock-tower.txt", *site.arguments(), "--format", "jsonl")
    (found,) = findings(done)
    assert (done.returncode, found["rule"], found["declared"], found["actual"]) == (1, "MM301", "1280", "960")


def test_rules_explains_a_code_and_lists_all(mediamirror: Command) -> None:
    assert "MM301" in mediamirror("rules").stdout
    one = mediamirror("rules", "mm301")
    assert all(word in one.stdout for word in ("What:", "Why:", "Fix:", "--ignore MM301"))
    assert one.stdout.index("Example:") < one.stdout.index("harbour.webp 960w") < one.stdout.index("Use instead:")
    assert mediamirror("rules", "MM999").returncode == 2


def test_ten_thousand_sets_are_judged_in_bounded_memory(mediamirror: Command, tmp_path: Path) -> None:
    page = tmp_path / "big.html"
    page.write_text("".join(f'<img alt="" src="https://h{n % 7}.invalid/{n}.webp">\n' for n in range(10_000)))
    script = f"ulimit -v {2_500_000}; exec '{_program()}' verify {page} --root {tmp_path} -q --fail-on never"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-500:]


def _program() -> str:
    import sysconfig

    return str(Path(sysconfig.get_path("scripts")) / "mediamirror")


def test_the_simulator_says_what_each_screen_loads_and_wastes(mediamirror: Command, dist: Path) -> None:
    screens = ("--viewport", "390x844@3", "--viewport", "1440x900")
    done = mediamirror("simulate", str(dist), "--root", str(dist), *screens, "--format", "jsonl")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    loaded = [(row["screen"], row["descriptor"], row["width"]) for row in rows if row["line"] == 1]
    assert loaded == [("390x844@3", "1920w", 1920), ("1440x900@1", "1920w", 1920)]
    assert all(row["wasted"] > 0 for row in rows if row["line"] == 1)
    assert mediamirror("simulate", str(dist), "--viewport", "wide").returncode == 2


def test_the_simulator_says_when_a_screen_gets_no_picture_and_when_a_page_has_none(
    mediamirror: Command, dist: Path, tmp_path: Path
) -> None:
    (dist / "index.html").write_text('<img alt="" src="img/none.webp">')
    words = ("simulate", str(dist / "index.html"), "--root", str(dist), "--viewport", "390x844@3")
    row = json.loads(mediamirror(*words, "--format", "jsonl").stdout)
    assert (row["width"], "none.webp has no file below" in row["error"]) == (None, True), row
    assert "none.webp has no file below" in mediamirror(*words).stdout
    (tmp_path / "bare.html").write_text("<p>Words only</p>")
    done = mediamirror("simulate", str(tmp_path / "bare.html"))
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "",
        "No image found in 1 document. Read as html; --as names another kind.\n",
    )


def test_an_image_that_stands_twice_is_judged_at_both_places(mediamirror: Command, dist: Path) -> None:
    unsized, lazy = NO_UPSCALE.replace(' sizes="100vw"', ""), NO_UPSCALE.replace("100vw", "auto, 100vw")
    (dist / "index.html").write_text(NO_UPSCALE + unsized + NO_UPSCALE + lazy)
    done = mediamirror("verify", str(dist), "--root", str(dist), "--format", "jsonl")
    told = sorted((found["rule"], found["line"]) for found in findings(done))
    assert told == [("MM104", 2), ("MM107", 4), ("MM309", 1)]


def test_odd_names_of_a_built_site_are_findings_and_end_no_run(mediamirror: Command, dist: Path) -> None:
    image = (dist / "img" / "a-480.webp").read_bytes()
    (dist.parent / "secret.webp").write_bytes(image)
    (dist / "img" / "Quay.webp").write_bytes(image)
    (dist / "img" / "a b.webp").write_bytes(image)
    (dist / "img" / "out.webp").symlink_to(dist.parent / "secret.webp")
    names = ("a%20b.webp?v=2#x", "%00.webp", "out.webp", "%2e%2e/%2e%2e/secret.webp", "quay.webp", f"{'x' * 300}.webp")
    (dist / "index.html").write_text("\n".join(f'<img alt="" src="/img/{name}">' for name in names))
    done = mediamirror("verify", str(dist), "--root", str(dist), "--format", "jsonl")
    told = {found["line"]: (found["rule"], found["message"]) for found in findings(done)}
    assert (done.returncode, set(told)) == (1, {2, 3, 4, 5, 6}), done.stderr
    assert {rule for rule, _ in told.values()} == {"MM203"}
    assert "leads out of the site's folder" in told[3][1]
    assert "there is Quay.webp, in other capitals" in told[5][1]


def test_a_file_of_a_built_site_over_the_size_limit_is_not_read(mediamirror: Command, dist: Path) -> None:
    (dist / "index.html").write_text('<img alt="" src="/img/a-2880.webp">')
    done = mediamirror("verify", str(dist), "--root", str(dist), "--max-size", "5k", "--format", "jsonl")
    (found,) = findings(done)
    assert (done.returncode, found["rule"]) == (1, "MM208")
    assert "the limit is" in found["message"]


def test_a_header_check_sees_a_cut_file_that_came_whole(mediamirror: Command, dist: Path) -> None:
    whole = (dist / "img" / "b-480.jpg").read_bytes()
    assert len(whole) < 64 * 1024
    (dist / "img" / "b-480.jpg").write_bytes(whole[: len(whole) // 2])
    (dist / "index.html").write_text('<img src="img/b-480.jpg" alt="">')
    done = mediamirror("verify", str(dist), "--root", str(dist), "--check", "header", "--format", "jsonl")
    assert (done.returncode, [found["rule"] for found in findings(done)]) == (1, ["MM305"])


def test_table_and_json_lines_count_the_same_sets_and_call_files_alike(mediamirror: Command, dist: Path) -> None:
    for name in ("copy.html", "again.html"):
        (dist / name).write_text('<img src="img/b-480.jpg" srcset="img/b-480.jpg 400w" sizes="300px" alt="">')
    words = ("verify", str(dist), "--root", str(dist))
    rows = [json.loads(line) for line in mediamirror(*words, "--format", "jsonl").stdout.splitlines()]
    sets = sum(row["type"] == "image-set" for row in rows)
    assert (rows[-1]["sets"], sets) == (4, 4)
    table = mediamirror(*words)
    assert "4 image sets" in table.stdout + table.stderr
    assert {row["status"] for row in rows if row["type"] == "variant"} == {"checked"}
    assert "rejected" not in table.stdout + table.stderr


def test_the_html_report_counts_the_sets_that_the_summary_counts(
    mediamirror: Command, dist: Path, tmp_path: Path
) -> None:
    (dist / "lone.html").write_text('<img src="{{ picture }}" alt="">')
    words = ("verify", str(dist), "--root", str(dist), "--format", "jsonl")
    done = mediamirror(*words, "--report", str(tmp_path / "report"))
    assert json.loads(done.stdout.splitlines()[-1])["sets"] == 2
    page = " ".join((tmp_path / "report" / "index.html").read_text(encoding="utf-8").split())
    assert "2 image sets" in page
    assert "1 other element" in page
