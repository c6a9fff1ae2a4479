"""With --keep-data, pictures that pages hold themselves are images like any others."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

from fixtures.images import make_image
from mediamirror import mirror, verify
from mediamirror.documents.carried import Carried
from mediamirror.documents.compressed import STEP
from mediamirror.documents.data_urls import DataUrls
from mediamirror.documents.document import Document, kept
from mediamirror.model import Event, Outcome, Problem
from mediamirror.settings import MirrorOptions, ReadOptions, VerifyOptions

PNG, JPEG, GIF = make_image(60, 40, "png"), make_image(80, 40, "jpeg"), make_image(1, 1, "gif")


def data_url(picture: bytes, kind: str = "image/png", parameters: str = "") -> str:
    return f"data:{kind}{parameters};base64,{base64.b64encode(picture).decode()}"


def address(picture: bytes, extension: str = "png") -> str:
    return f"https://file.invalid/data/{hashlib.sha256(picture).hexdigest()}.{extension}"


def without(text: str, kind: str = "html") -> str:
    data = kept([text.encode()], len(text.encode()))
    document = Document("d", data or b"", None, None, kind)
    return b"".join(DataUrls(Carried("data", None, 10**9), 10**9).without(document).chunks()).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<img src='{data_url(PNG)}' alt=a>", f"<img src='{address(PNG)}' alt=a>"),
        (f"<img src={data_url(JPEG, 'image/jpeg')}>", f"<img src={address(JPEG, 'jpg')}>"),
        (f'<img srcset="{data_url(PNG)} 480w, x.png 2x">', f'<img srcset="{address(PNG)} 480w, x.png 2x">'),
        (f"url({data_url(PNG, 'IMAGE/PNG', ';charset=utf-8')})", f"url({address(PNG)})"),
        (f"url(&quot;{data_url(PNG)}&quot;)", f"url(&quot;{address(PNG)}&quot;)"),
        (data_url(PNG), address(PNG)),
        (f"{data_url(PNG)}|{data_url(PNG)}", f"{address(PNG)}|{address(PNG)}"),
    ],
)
def test_an_address_stands_where_the_picture_stood(text: str, expected: str) -> None:
    assert without(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        data_url(GIF, "image/gif"),
        data_url(PNG, "image/svg+xml"),
        data_url(PNG, "text/html"),
        data_url(PNG).replace("base64,", "base64,%"),
        data_url(PNG)[:300] + "%2B" + data_url(PNG)[300:],
        data_url(PNG)[:300] + "\n" + "A" * 90,
        "data:image/png,%89PNG",
        "data:image/",
        "data:image/png;base64,",
        "no picture",
    ],
)
def test_what_is_no_picture_a_spacer_or_spelled_otherwise_stays(text: str) -> None:
    assert without(f"<img src='{text}'>") == f"<img src='{text}'>"


def in_lines(picture: bytes) -> str:
    return json.dumps(base64.encodebytes(picture).decode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'"image/png": {in_lines(PNG)}', f'"image/png": "{address(PNG)}"'),
        (f'"jpeg" :"{base64.b64encode(JPEG).decode()}"', f'"jpeg" :"{address(JPEG, "jpg")}"'),
        (f'"<img src=\\"{data_url(PNG)}\\">"', f'"<img src=\\"{address(PNG)}\\">"'),
        (f'"image/png": "{data_url(PNG)}"', f'"image/png": "{address(PNG)}"'),
        ('"image/png": {"width": 640}', '"image/png": {"width": 640}'),
        ('"image/png": "https://h.example/a.png"', '"image/png": "https://h.example/a.png"'),
    ],
)
@pytest.mark.parametrize("before", [0, *range(STEP - 60, STEP + 3, 7), STEP - len(in_lines(PNG))])
def test_a_notebook_s_pictures_are_taken_out_under_their_type(text: str, expected: str, before: int) -> None:
    assert without(f"{' ' * before}{text}", "notebook") == f"{' ' * before}{expected}"


@pytest.mark.parametrize("before", [*range(STEP - 60, STEP + 3), 3 * STEP - 11])
def test_a_picture_is_found_wherever_a_chunk_ends(before: int) -> None:
    picture = PNG + os.urandom(2 * STEP)
    assert (
        without(f"{'x' * before}{data_url(picture)}' y {data_url(PNG)}'")
        == f"{'x' * before}{address(picture)}' y {address(PNG)}'"
    )


async def test_the_pictures_of_a_single_file_page_are_checked_and_stored_by_their_hash(tmp_path: Path) -> None:
    cut = JPEG[:-300]
    page = f"""<!doctype html><img srcset="{data_url(PNG)} 60w, {data_url(JPEG, "image/jpeg")} 90w" alt=two>
      <style>a{{background:url({data_url(PNG)})}}</style><img src="{data_url(cut, "image/jpeg")}">"""
    (tmp_path / "page.html").write_text(page)
    there, inputs = tmp_path / "to", [str(tmp_path / "page.html")]
    keeping, events = ReadOptions(keep_data=True), list[Event]()
    await mirror(inputs, to=str(there), options=MirrorOptions(read=keeping), on_event=events.append)
    rows = {event.variant.url: event for event in events if isinstance(event, Outcome)}
    assert {url: row.status.value for url, row in rows.items()} == {
        address(PNG): "stored",
        address(JPEG, "jpg"): "rejected",  # 80 pixels where 90 were promised
        address(cut, "jpg"): "rejected",
    }
    assert (there / address(PNG).removeprefix("https://")).read_bytes() == PNG
    assert not [event for event in events if isinstance(event, Problem)]
    events.clear()
    await verify(inputs, options=VerifyOptions(read=keeping), on_event=events.append)
    assert {event.variant.url for event in events if isinstance(event, Outcome)} == set(rows)
    events.clear()
    await mirror(inputs, to=str(tmp_path / "other"), on_event=events.append)
    assert not [event for event in events if isinstance(event, Outcome)]


async def test_the_pictures_that_a_notebook_put_out_are_checked_and_stored_and_told_without_keep_data(
    tmp_path: Path,
) -> None:
    cut = JPEG[:-300]
    outputs = [{"output_type": "display_data", "data": {"image/png": base64.encodebytes(PNG).decode()}}]
    outputs += [{"output_type": "display_data", "data": {"image/jpeg": base64.b64encode(cut).decode()}}]
    notebook = {"cells": [{"cell_type": "code", "outputs": outputs, "source": []}], "nbformat": 4}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(notebook, indent=1))
    events = list[Event]()
    keeping = MirrorOptions(read=ReadOptions(keep_data=True))
    await mirror([str(path)], to=str(tmp_path / "to"), options=keeping, on_event=events.append)
    rows = {event.variant.url: event.status.value for event in events if isinstance(event, Outcome)}
    assert rows == {address(PNG): "stored", address(cut, "jpg"): "rejected"}
    events.clear()
    await mirror([str(path)], to=str(tmp_path / "other"), on_event=events.append)
    told = [(event.code, event.line) for event in events if isinstance(event, Problem)]
    assert told == [("scheme-not-fetched", line) for line in lines_of(path, "image/png", "image/jpeg")]


def lines_of(path: Path, *words: str) -> list[int]:
    return [at for at, line in enumerate(path.read_text().splitlines(), 1) if any(word in line for word in words)]
