"""Findings that are switched off: globs, attributes, and what is said of those that can't be understood."""

from __future__ import annotations

import pytest

from mediamirror.errors import UsageError
from mediamirror.lint.suppress import codes_of, matches, url_names


@pytest.mark.parametrize(
    ("path", "glob", "fits"),
    [
        ("blog/a.html", "blog/**", True),
        ("blog/2024/a.html", "blog/**", True),
        ("blog/2024/a.html", "blog/", True),
        ("blog/2024/a.html", "blog", True),
        ("weblog/a.html", "blog", False),
        ("blogs/a.html", "blog/**", False),
        ("docs/404.html", "404.html", True),
        ("docs/a.md", "*.md", True),
        ("docs/a.md.html", "*.md", False),
        ("a.html", "docs/a.html", False),
        ("docs/A.html", "docs/a.html", False),
    ],
)
def test_a_glob_fits_a_path_a_folder_or_a_name(path: str, glob: str, fits: bool) -> None:
    assert matches(path, glob) is fits


def test_a_url_is_known_whole_and_by_its_path() -> None:
    assert url_names("https://e.org/a/b.webp?w=1#x") == ("https://e.org/a/b.webp", "a/b.webp")


def test_words_mean_codes_names_and_beginnings_and_an_unknown_one_names_the_nearest() -> None:
    assert codes_of(["MM301", "upscaled"]) == {"MM301", "MM312"}
    assert {"MM401", "MM402"} <= codes_of(["MM4"])
    with pytest.raises(UsageError, match="MM301"):
        codes_of(["MM3O1"])
