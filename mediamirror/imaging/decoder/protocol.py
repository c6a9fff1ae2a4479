"""What the pool and its worker processes say to each other: frames of a JSON head and raw bytes, over pipes.

A frame is two big-endian numbers (length of the head, 4 bytes; length of the body, 8 bytes), the head, the body.
A job's head is a `Wish`, with the image as body; or with ``"file": true``, and then the open file arrives on a socket beside
the pipes. A reply's head is ``{"ready": true, "sandbox": {...}}`` (``false`` with a ``message``),
``{"facts": {...}, "look": {...} | null}`` or ``{"error": code, "message": ...}``; the body, where there is a look, is the bytes of
`Look.colours`, those of `Look.opacity` where the head says ``"opacity": true``, and then the thumbnail. Nothing is unpickled: a
worker taken over by an image can only send text and a small picture, and `facts_of` and `look_of` trust none of it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from struct import Struct
from typing import Any

from mediamirror.errors import ImageError, ImageOverBudget, ImageTruncated, ImageUndecodable, NotAnImage
from mediamirror.first_use import dataclass
from mediamirror.model import LOOK_SIDE, ImageFacts, Look, Regained
from mediamirror.settings import CheckOptions

PREFIX = Struct(">IQ")
MAX_HEAD = 64 * 1024
"""Longest head accepted, in bytes."""
MAX_BODY = 1024 * 1024
"""Longest body of a reply accepted, in bytes."""
_OPACITY = LOOK_SIDE * LOOK_SIDE
_COLOURS = 3 * _OPACITY
_MAX_NOTES = 16

OUT_OF_MEMORY = "out-of-memory"
ERRORS: dict[str, type[ImageError]] = {
    error.code: error for error in (NotAnImage, ImageTruncated, ImageUndecodable, ImageOverBudget)
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use in its worker."""

    memory: int = 1024 * 1024 * 1024
    """Bytes of address space of the worker process."""
    slack: int = 48 * 1024 * 1024
    """Bytes that a job may take beyond its estimate and its file: metadata, tables, what allocators take whole."""
    cpu_seconds: int = 10
    wall_seconds: float = 15.0
    start_seconds: float = 60.0
    """For a new worker to say that it is ready."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a job asks for besides the facts: a look, and in it the sizes of the picture in modern formats.

    ``widths`` are those of narrower variants, to see whether the picture was enlarged from one. Without ``thumbnail`` the look has
    none.
    """

    look: bool = False
    estimate: bool = False
    widths: tuple[int, ...] = ()
    thumbnail: bool = True


def wish_of(head: dict[str, Any]) -> Wish:
    """Read the wish of a job's head."""
    widths = head.get("widths") or ()
    look, estimate = head.get("look") is True, head.get("estimate") is True
    return Wish(look, estimate, tuple(map(int, widths)), head.get("thumbnail") is not False)


def frame(head: dict[str, Any], body_size: int = 0) -> bytes:
    """Encode the beginning of a frame; ``body_size`` raw bytes are to follow it."""
    text = json.dumps(head).encode("ascii")
    return PREFIX.pack(len(text), body_size) + text


def settings(options: CheckOptions, limits: Limits) -> str:
    """Encode what a worker has to know at its start, as its one argument."""
    return json.dumps({"options": asdict(options), "limits": asdict(limits)})


def parse_settings(text: str) -> tuple[CheckOptions, Limits]:
    """Undo `settings`."""
    parts = json.loads(text)
    return CheckOptions(**parts["options"]), Limits(**parts["limits"])


def facts_of(head: dict[str, Any]) -> ImageFacts:
    """Build the facts of a reply, or raise the `ImageError` that it tells; ValueError when it is neither."""
    if isinstance(code := head.get("error"), str) and code in ERRORS:
        message = str(head.get("message", ""))[:2000]
        raise (
            NotAnImage(message, kind=_text_or_none(head.get("kind")))
            if code == NotAnImage.code
            else ERRORS[code](message)
        )
    facts = head.get("facts")
    if isinstance(facts, dict) and all(isinstance(facts.get(name), kinds) for name, kinds in _FACT_TYPES.items()):
        return ImageFacts(
            **{name: facts[name] for name in _FACT_TYPES},
            corrected=_size_or_none(facts.get("corrected")),
            in_firefox=_shown_or_none(facts.get("in_firefox")),
            notes=tuple(str(note)[:200] for note in (facts.get("notes") or ())[:_MAX_NOTES]),
        )
    raise ValueError("neither sound facts nor an error")


def look_head(look: Look) -> tuple[dict[str, Any], bytes]:
    """Encode a look: what goes into the head, and the body."""
    head = {name: value for name, value in asdict(look).items() if name not in ("colours", "opacity", "thumbnail")}
    head["opacity"] = bool(look.opacity)
    return head, look.colours + look.opacity + look.thumbnail


def look_of(head: dict[str, Any], body: bytes) -> Look | None:
    """Build the look of a reply; None when it has none. ValueError or TypeError when it makes no sense."""
    told = head.get("look")
    if told is None:
        return None
    seen = _COLOURS + (_OPACITY if isinstance(told, dict) and told["opacity"] is True else 0)
    if not isinstance(told, dict) or len(body) < seen:
        raise ValueError("no sound look")
    return Look(
        colours=body[:_COLOURS],
        opacity=body[_COLOURS:seen],
        thumbnail=body[seen:],
        detail=tuple((float(scale), float(lost)) for scale, lost in told["detail"]),
        personal=tuple(str(name)[:100] for name in told["personal"]),
        profile=_text_or_none(told["profile"]),
        wide=_text_or_none(told["wide"]),
        estimates=tuple((str(name)[:20], int(size)) for name, size in told["estimates"]),
        regained=tuple(
            Regained(int(r["width"]), float(r["below"]), float(r["soft"]), float(r["blocks"]), r["drawn"] is True)
            for r in told["regained"]
        ),
        texture=tuple((int(side), float(step), float(fine)) for side, step, fine in told["texture"]),
    )


def _size_or_none(value: Any) -> tuple[int, int] | None:
    """Two numbers or nothing; ValueError or TypeError for anything else."""
    if value is None:
        return None
    width, height = value
    return int(width), int(height)


def _shown_or_none(value: Any) -> tuple[int, int, int] | None:
    """Three numbers or nothing; ValueError or TypeError for anything else."""
    if value is None:
        return None
    width, height, orientation = value
    return int(width), int(height), int(orientation)


def _text_or_none(value: object) -> str | None:
    return value[:200] if isinstance(value, str) else None


_MAYBE_INT, _MAYBE_BOOL = (int, type(None)), (bool, type(None))
_FACT_TYPES: dict[str, tuple[type, ...]] = {
    "format": (str,),
    "width": (int,),
    "height": (int,),
    "decoded": (bool,),
    "frames": _MAYBE_INT,
    "mode": (str, type(None)),
    "alpha": _MAYBE_BOOL,
    "icc": _MAYBE_BOOL,
    "orientation": _MAYBE_INT,
    "has_gps": _MAYBE_BOOL,
}
