"""Web archives as crawlers leave them, each with one trait: what a mirror made from one alone holds, and what is said."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

from fixtures.crawls.waczs import members_of, packed
from fixtures.crawls.warcs import arc, compressed, http, record, response, revisit, sha1
from fixtures.images import make_image
from mediamirror import mirror, parse, verify
from mediamirror.catalog.listing import Query
from mediamirror.jobs.catalog.catalogs import locate
from mediamirror.jobs.catalog.warc_export import export_warc
from mediamirror.jobs.run.archive import Target
from mediamirror.model import Event, Outcome, Problem, Summary
from mediamirror.settings import CheckOptions, MirrorOptions, ReadOptions, StoreOptions, VerifyOptions

SITE = "http://boats.example"
OLD, NEW = make_image(120, 60, "jpeg"), make_image(160, 80, "jpeg", seed=1)
IMG = '<img src="/red.jpg">'


def picture(
    path: str, body: bytes = OLD, *, date: str = "2026-03-04T05:06:07Z", promised: bytes | None = None
) -> bytes:
    more = [("WARC-Payload-Digest", sha1(promised or body))]
    return response(f"{SITE}/{path}", body, "image/jpeg", date=date, more=more)


def page(html: str, *, date: str = "2026-03-04T05:06:07Z", status: str = "200 OK") -> bytes:
    body = f"<!doctype html><title>Boats</title>{html}".encode()
    return response(f"{SITE}/", body, "text/html; charset=utf-8", date=date, status=status)


def moved(path: str, to: str, *, date: str = "2026-03-04T05:06:07Z") -> bytes:
    answer = http(b"", "text/html", status="302 Found", more=[("Location", to)])
    return record("response", f"{SITE}/{path}", answer, date=date)


class Run:
    """One mirror of inputs, in a folder and with a catalog of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.summary: Summary

    async def __call__(self, *inputs: Path, **read: bool) -> Run:
        options = MirrorOptions(read=ReadOptions(**{"offline": True, **read}), check=CheckOptions(check="header"))
        self.summary = await mirror(
            [str(each) for each in inputs],
            to=str(self.folder / "mirror"),
            options=options,
            catalog=self.folder / "catalog.sqlite",
            on_event=self.events.append,
        )
        return self

    @property
    def stored(self) -> dict[str, bytes]:
        """The bytes by the path of their URL."""
        root = self.folder / "mirror"
        paths = [path for path in sorted(root.rglob("*.jpg")) if path.is_file()]
        return {path.relative_to(root / "boats.example+http").as_posix(): path.read_bytes() for path in paths}

    @property
    def reasons(self) -> dict[str, str]:
        rows = [event for event in self.events if isinstance(event, Outcome) and event.error is not None]
        return {row.variant.url.removeprefix(f"{SITE}/"): row.error.message for row in rows if row.error}

    @property
    def told(self) -> dict[str, str]:
        return {event.code: event.message for event in self.events if isinstance(event, Problem)}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = tmp_path / "run"
    folder.mkdir()
    return Run(folder)


def put(folder: Path, records: Sequence[bytes], name: str = "a.warc.gz") -> Path:
    path = folder / name
    path.write_bytes(compressed(records) if name.endswith(".gz") else b"".join(records))
    return path


async def test_another_picture_under_a_record_s_digest_is_refused(tmp_path: Path, run: Run) -> None:
    await run(put(tmp_path, [page(IMG), picture("red.jpg", NEW, promised=OLD)]))
    assert (run.summary.exit_code, run.stored) == (1, {})
    assert sha1(NEW) in run.reasons["red.jpg"]
    assert sha1(OLD) in run.reasons["red.jpg"]


async def test_a_picture_with_flipped_bits_is_refused(tmp_path: Path, run: Run) -> None:
    flipped = bytearray(OLD)
    flipped[len(OLD) // 2] ^= 0x10
    await run(put(tmp_path, [page(IMG), picture("red.jpg", bytes(flipped), promised=OLD)], "a.warc"))
    assert (run.summary.exit_code, run.stored) == (1, {})


async def test_an_archive_made_of_a_mirror_of_an_archive_still_has_its_redirects(tmp_path: Path, run: Run) -> None:
    archive = put(tmp_path, [page(IMG), moved("red.jpg", "/store/red.jpg"), picture("store/red.jpg")])
    looker = tmp_path / "page.html"
    looker.write_text(f'<base href="{SITE}/">{IMG}')
    for trip in range(3):
        here = Run(run.folder / str(trip))
        here.folder.mkdir()
        await here(archive) if trip == 0 else await here(looker, archive)
        assert (here.summary.exit_code, list(here.stored.values())) == (0, [OLD]), here.events
        archive = tmp_path / f"{trip}.warc.gz"
        done = await export_warc(
            str(here.folder / "mirror"),
            locate(str(here.folder / "mirror"), here.folder / "catalog.sqlite", None),
            Query(),
            Target("warc.gz", lambda _, path=archive: path.open("wb"), "test"),
            options=StoreOptions(),
        )
        assert (done.responses, done.redirects) == (1, 1)
        assert b"302 Found\r\ncontent-type: text/html\r\nlocation: /store/red.jpg" in gzip.decompress(
            archive.read_bytes()
        )


async def test_a_revisit_that_says_it_was_truncated_has_the_picture_of_its_original(tmp_path: Path, run: Run) -> None:
    again = revisit(
        f"{SITE}/red.jpg",
        OLD,
        "image/jpeg",
        of=f"{SITE}/first.jpg",
        then="2026-01-01T00:00:00Z",
        more=[("WARC-Truncated", "length")],
    )
    await run(put(tmp_path, [page(IMG), picture("first.jpg", date="2026-01-01T00:00:00Z"), again]))
    assert (run.summary.exit_code, run.stored["red.jpg"]) == (0, OLD)


@pytest.mark.parametrize(
    ("written", "archived"),
    [("/a|b.jpg", "a%7Cb.jpg"), ("/%c3%a9.jpg", "%C3%A9.jpg"), ("/~ann/red.jpg", "%7Eann/red.jpg")],
)
async def test_a_page_and_a_crawler_may_spell_an_address_differently(
    tmp_path: Path, run: Run, written: str, archived: str
) -> None:
    await run(put(tmp_path, [page(f'<img src="{written}">'), picture(archived)]))
    assert (run.summary.exit_code, list(run.stored.values())) == (0, [OLD])


async def test_a_later_redirect_that_leads_nowhere_gives_way(tmp_path: Path, run: Run) -> None:
    later = moved("red.jpg", "/gone-elsewhere.jpg", date="2026-03-06T00:00:00Z")
    await run(put(tmp_path, [page(IMG), picture("red.jpg"), later]))
    assert (run.summary.exit_code, run.stored) == (0, {"red.jpg": OLD})


async def test_the_picture_is_that_of_the_page_s_time(tmp_path: Path, run: Run) -> None:
    captures = [picture("red.jpg", date="2020-01-01T00:00:06Z"), picture("red.jpg", NEW, date="2026-01-01T00:00:00Z")]
    await run(put(tmp_path, [page(IMG, date="2020-01-01T00:00:05Z"), *captures]))
    assert run.stored == {"red.jpg": OLD}
    assert "2020-01-01 00:00:06 was taken, the nearest to its page" in run.told["captures-differ"]


async def test_that_two_pictures_stood_under_an_address_is_told(tmp_path: Path, run: Run) -> None:
    records = [
        page('<img src="/red.jpg" srcset="/red.jpg 120w">', date="2020-01-01T00:00:05Z"),
        picture("red.jpg", date="2020-01-01T00:00:06Z"),
        page('<img src="/red.jpg" srcset="/red.jpg 160w">', date="2026-01-01T00:00:00Z"),
        picture("red.jpg", NEW, date="2026-01-01T00:00:01Z"),
    ]
    await run(put(tmp_path, records))
    assert "has 2 captures in the archives that are not all the same" in run.told["captures-differ"]
    assert run.stored == {"red.jpg": NEW}


async def test_an_archive_of_revisits_alone_says_that_their_originals_are_elsewhere(tmp_path: Path, run: Run) -> None:
    records = [
        revisit(f"{SITE}/", b"<!doctype html>", "text/html", of=f"{SITE}/"),
        revisit(f"{SITE}/red.jpg", OLD, "image/jpeg", of=f"{SITE}/red.jpg"),
    ]
    archive = put(tmp_path, records)
    await run(archive)
    parsed: list[Event] = []
    summary = await parse([str(archive)], on_event=parsed.append)
    told = f"{archive} holds no page, but 2 revisits whose originals are in none of the archives."
    assert (run.told["no-pages"], run.summary.exit_code, summary.exit_code) == (told, 2, 2)
    assert told in [event.message for event in parsed if isinstance(event, Problem)]


async def test_an_archive_of_pictures_alone_says_so_and_all_of_them_can_be_mirrored(tmp_path: Path, run: Run) -> None:
    drawing = response(f"{SITE}/logo.svg", b"<svg/>", "image/svg+xml")
    again = revisit(f"{SITE}/again.jpg", NEW, "image/jpeg", of=f"{SITE}/green.jpg")
    archive = put(tmp_path, [picture("red.jpg"), picture("green.jpg", NEW), drawing, again])
    await run(archive)
    assert (
        "holds no page, but 2 pictures (`--all-images` of `mirror` and `verify` takes them all)" in run.told["no-pages"]
    )
    assert (run.summary.exit_code, run.stored) == (2, {})
    run.events.clear()
    await run(archive, all_images=True)
    assert (run.summary.exit_code, run.stored) == (0, {"red.jpg": OLD, "green.jpg": NEW, "again.jpg": NEW})
    assert "no-pages" not in run.told


async def test_all_images_are_mirrored_beside_those_that_a_page_names(tmp_path: Path, run: Run) -> None:
    await run(put(tmp_path, [page(IMG), picture("red.jpg"), picture("green.jpg", NEW)]), all_images=True)
    assert (run.summary.exit_code, run.stored) == (0, {"red.jpg": OLD, "green.jpg": NEW})


async def test_a_page_beside_an_archive_of_pictures_is_answered_from_it_without_a_word(
    tmp_path: Path, run: Run
) -> None:
    looker = tmp_path / "page.html"
    looker.write_text(f'<base href="{SITE}/">{IMG}')
    await run(put(tmp_path, [picture("red.jpg")]), looker)
    assert (run.summary.exit_code, run.stored, run.told) == (0, {"red.jpg": OLD}, {})


@pytest.mark.parametrize("original_comes", ["first", "last", "in another archive"])
async def test_a_page_that_is_a_revisit_of_another_is_read_under_its_own_address(
    tmp_path: Path, run: Run, original_comes: str
) -> None:
    body = b"<!doctype html><img src=a.jpg>"
    original = response(f"{SITE}/one/", body, "text/html", more=[("WARC-Payload-Digest", sha1(body))])
    again = revisit(f"{SITE}/two/", body, "text/html", more=[("WARC-Truncated", "length")])
    pictures = [picture("one/a.jpg"), picture("two/a.jpg", NEW)]
    if original_comes == "in another archive":
        archives = [put(tmp_path, [again, *pictures]), put(tmp_path, [original], "b.warc.gz")]
    else:
        pages = [original, again] if original_comes == "first" else [again, original]
        archives = [put(tmp_path, [*pages, *pictures])]
    await run(*archives)
    assert (run.summary.exit_code, run.stored) == (0, {"one/a.jpg": OLD, "two/a.jpg": NEW})
    if len(archives) == 1:
        assert (await parse([str(archives[0])])).documents == 2


async def test_a_page_that_is_a_revisit_of_itself_is_read_once(tmp_path: Path) -> None:
    body = b"<!doctype html><img src=a.jpg>"
    original = response(f"{SITE}/", body, "text/html", more=[("WARC-Payload-Digest", sha1(body))])
    assert (await parse([str(put(tmp_path, [original, revisit(f"{SITE}/", body, "text/html")]))])).documents == 1


async def test_a_page_that_a_proxy_has_changed_is_a_page(tmp_path: Path, run: Run) -> None:
    await run(put(tmp_path, [page(IMG, status="203 Non-Authoritative Information"), picture("red.jpg")]))
    assert (run.summary.exit_code, run.stored) == (0, {"red.jpg": OLD})


async def test_a_page_whose_bytes_are_not_those_of_its_digest_is_read_and_told(tmp_path: Path, run: Run) -> None:
    more = [("WARC-Payload-Digest", sha1(b"another"))]
    wrong = response(f"{SITE}/", f"<!doctype html>{IMG}".encode(), "text/html", more=more)
    await run(put(tmp_path, [wrong, picture("red.jpg")]))
    assert (run.summary.exit_code, run.stored) == (1, {"red.jpg": OLD})
    assert sha1(b"another") in run.told["document-damaged"]


@pytest.mark.parametrize("name", ["old.arc", "old.arc.gz", "crawl"])
async def test_an_arc_file_is_read_as_the_web_archive_that_it_is(tmp_path: Path, run: Run, name: str) -> None:
    answers = [
        (f"{SITE}/", "text/html", f"<!doctype html>{IMG}".encode(), "20020101000000"),
        (f"{SITE}/red.jpg", "image/jpeg", OLD, "20020101000001"),
        (f"{SITE}/red.jpg", "image/jpeg", NEW, "20120101000001"),
    ]
    await run(put(tmp_path, arc(answers), name))
    assert (run.summary.exit_code, run.stored) == (0, {"red.jpg": OLD})


@pytest.mark.parametrize("offline", [True, False])
async def test_verify_judges_an_archive_by_its_own_pictures(tmp_path: Path, offline: bool) -> None:
    archive = put(tmp_path, [page('<img src="/red.jpg" srcset="/red.jpg 120w">'), picture("red.jpg")])
    events: list[Event] = []
    options = VerifyOptions(read=ReadOptions(offline=offline), check=CheckOptions(check="header"))
    summary = await verify([str(archive)], options=options, on_event=events.append)
    (row,) = [event for event in events if isinstance(event, Outcome)]
    assert (summary.exit_code, row.error, row.facts.width if row.facts else 0) == (0, None, 120)


async def test_verify_offline_says_what_is_wrong_with_the_record_of_a_picture(tmp_path: Path) -> None:
    archive = put(tmp_path, [page(IMG), picture("red.jpg", NEW, promised=OLD)])
    events: list[Event] = []
    options = VerifyOptions(read=ReadOptions(offline=True), check=CheckOptions(check="header"))
    assert (await verify([str(archive)], options=options, on_event=events.append)).exit_code == 1
    assert [sha1(OLD) in event.error.message for event in events if isinstance(event, Outcome) and event.error] == [
        True
    ]


async def test_a_record_that_was_cut_short_is_called_so(tmp_path: Path, run: Run) -> None:
    cut = response(f"{SITE}/red.jpg", OLD[:900], "image/jpeg", more=[("WARC-Truncated", "length")])
    await run(put(tmp_path, [page(IMG), cut]))
    assert "it is there cut short (WARC-Truncated: length); omit --offline" in run.reasons["red.jpg"]


@pytest.mark.parametrize("offline", [True, False])
async def test_of_a_wacz_whose_index_comes_first_only_the_pages_of_its_archives_are_read(
    tmp_path: Path, run: Run, offline: bool
) -> None:
    members = members_of({"a.warc.gz": [page(IMG), picture("red.jpg")]}, [f"{SITE}/"])
    archive = packed(tmp_path / "a.wacz", members)
    await run(archive, offline=offline)
    assert (run.summary.exit_code, run.summary.variants, run.stored) == (0, 1, {"red.jpg": OLD})
    assert (await parse([str(archive)])).variants == 1
