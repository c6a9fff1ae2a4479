"""Pictures that only hold the place until a lazy loader's script puts the real one there."""

from __future__ import annotations

import re

from mediamirror.markup.standard.srcset import parse_srcset

CODE = "placeholder"
_NAMES = re.compile(
    # The whole name of the file,
    r"(?:^|/)(?:blank|spacer|spaceball|clear|cleardot|empty|pixel|transparent|transp|trans|none|dot|loading|loader|preloader|lazy"
    r"|placehold|grey|gray|white|1px|1\.1)(?:[_-]?(?:1x1|1px|image|img|pixel|gif|bg))?\.(?:gif|png|svg|webp)\Z"
    # or the end of it, where nothing else has such a name.
    r"|(?:^|[/_-])(?:spacer|placeholder|lazy-?load(?:er|ing)?|ajax-loader|lazy[_-]placeholder|1x1)\.(?:gif|png|svg|webp|jpe?g)\Z"
    r"|(?:^|/)[a-z0-9_]\.gif\Z|[_-](?:blank|transparent|loading)\.(?:gif|svg)\Z",
    re.IGNORECASE,
)
_LONGEST_NAME = 80
_LONGEST_SRCSET = 4096


def is_placeholder(url: str) -> bool:
    """Say whether a URL is what lazy loaders put where the real one will be: ``data:``, ``blank.gif`` and their like.

    Only to be asked of an image that has a real URL besides: alone, a ``blank.gif`` is an image like any other.
    """
    text = url.strip()
    if text[:5].lower() in {"data:", "about"} or text in {"", "#", "//:0", "about:blank"}:
        return True
    path = re.split(r"[?#]", text[:2048], maxsplit=1)[0]
    return _NAMES.search(path[-_LONGEST_NAME:]) is not None


def is_placeholder_srcset(value: str) -> bool:
    """Say whether a srcset names placeholders only."""
    if len(value) > _LONGEST_SRCSET:
        return False
    candidates = parse_srcset(value).candidates
    return all(is_placeholder(candidate.url) for candidate in candidates)
