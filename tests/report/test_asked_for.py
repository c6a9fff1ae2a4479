"""What ``parse --explain`` says of the addresses of a set."""

from __future__ import annotations

from mediamirror.markup.extract import extract
from mediamirror.report.table import asked_for


def test_the_sizes_and_formats_that_addresses_ask_for_are_told() -> None:
    (found,) = extract(
        b'<img srcset="/a.jpg?w=640&fm=webp 640w, /a.jpg?w=320&fm=webp 320w">',
        media_type="text/html",
        base_url="https://x.test/",
    )
    assert list(asked_for(found)) == [
        "the addresses ask for 320, 640 pixels",
        "the addresses ask for the format webp",
    ]


def test_plain_addresses_ask_for_nothing() -> None:
    (found,) = extract(b'<img src="/photo-300x200.jpg">', media_type="text/html", base_url="https://x.test/")
    assert list(asked_for(found)) == []
