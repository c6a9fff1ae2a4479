"""What the pool and its worker processes say to each other: frames of a JSON head and raw bytes, over pipes.

A frame is two big-endian numbers (length of the head, 4 bytes; length of the body, 8 bytes), the head, the body.
A job's head is ``{}`` with the image as body, or ``{"path": ...}`` without body. A reply's head is ``{"ready": true}``, ``{"facts":
{...}}`` or ``{"error": code, "message": ...}``, never with a body. Nothing is unpickled: a worker taken over by an image can only
send text, and `facts_of` trusts none of it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from struct import Struct
from typing import Any

from mediamirror.errors import (
    ImageError,
    ImageOverBudget,
    ImageTruncated,
    ImageUndecodable,
    NotAnImage,
)
from mediamirror.model import ImageFacts
from mediamirror.settings import CheckOptions

PREFIX = Struct(">IQ")
MAX_HEAD = 64 * 1024
"""Longest head accepted, in bytes."""

OUT_OF_MEMORY = "out-of-memory"
ERRORS: dict[str, type[ImageError]] = {
    error.code: error for error in (NotAnImage, ImageTruncated, ImageUndecodable, ImageOverBudget)
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use in its worker."""

    memory: int = 1024 * 1024 * 1024
    """Bytes of address space of the worker process."""
    cpu_seconds: int = 10
    wall_seconds: float = 15.0
    start_seconds: float = 60.0
    """For a new worker to say that it is ready."""


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
        raise ERRORS[code](str(head.get("message", ""))[:2000])
    facts = head.get("facts")
    if isinstance(facts, dict) and all(isinstance(facts.get(name), kinds) for name, kinds in _FACT_TYPES.items()):
        return ImageFacts(**{name: facts[name] for name in _FACT_TYPES})
    raise ValueError("neither sound facts nor an error")


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
