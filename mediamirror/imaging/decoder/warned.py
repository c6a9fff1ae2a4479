"""What libjpeg says while it decodes, which Pillow swallows: that data ended early, and that it made up the rest of the picture.

Pillow keeps libjpeg's error manager (``struct jpeg_error_mgr``, libjpeg.txt, "Error handling") inside its decoder, and silences it. A
second decode would cost as much as the first; so the manager's function for messages is replaced by one of ours, at the place
where a small JPEG, decoded before any stranger's, shows it to be. Where it does not show, nothing is heard. Worker processes only.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import struct
from collections.abc import Iterator
from dataclasses import field
from typing import Any

from PIL import Image

from mediamirror.first_use import dataclass, pattern
from mediamirror.imaging.jpeg import segments
from mediamirror.imaging.octets import Octets

_EMIT, _FORMAT, _COUNT = 8, 24, 128
"""Offsets in the error manager of emit_message, format_message and num_warnings, on 64 bits: the same since libjpeg 6."""
_POINTER = struct.calcsize("P")
_CONTEXT = 1024
"""Bytes of Pillow's context that are looked through for the error manager."""
_LOOKS = 3
_MOST = 50
"""Warnings that are noted of one image: a broken one may give millions."""
_EXTRA = pattern(r"(?<!\d)(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_END = b"\xff\xd9"
_AHEAD = 16
"""More bytes than a decoder holds that it has read and not used: it does not count them as passed over."""

_Message = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)
_Formatter = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the error manager is: offsets of the context's pointer in Pillow's decoder, and of the manager's in the context."""

    context: int
    manager: int

    def of(self, decoder: object) -> int:
        """The address of a decoder's error manager, once it has taken its first bytes."""
        return _pointer(_pointer(id(decoder) + self.context) + self.manager)


@dataclass(slots=True)
class Ear:
    """Notes the warnings of every JPEG that is decoded in this process. One for a process."""

    place: _Place | None = None
    noted: list[str] = field(default_factory=list)
    _callback: Any = None
    _own: Any = None

    def install(self) -> bool:
        """Listen from now on, and say whether that works here. A second call does nothing more."""
        if self._callback is None:
            # Made before the sandbox closes: it needs memory that can be executed.
            self._callback, self._own = _Message(self._note), Image._getdecoder
            Image._getdecoder = self._decoder  # type: ignore[assignment]
            if struct.calcsize("P") == 8:
                with contextlib.suppress(Exception):
                    # Five of 1,500 looks into a busy heap saw two places that might be it, or none.
                    self.place = next(filter(None, (_find(self._own) for _ in range(_LOOKS))), None)
            if self.place is not None and not self._hears():
                self.place = None
        return self.place is not None

    def take(self) -> tuple[str, ...]:
        """Return what was noted since the last call."""
        noted, self.noted = tuple(self.noted), []
        return noted

    def _decoder(self, mode: str, name: str, *rest: Any) -> Any:
        decoder = self._own(mode, name, *rest)
        return _Listening(decoder, self) if name == "jpeg" and self.place is not None else decoder

    def listen(self, decoder: object) -> None:
        """Take the place of a decoder's function for messages."""
        assert self.place is not None  # noqa: S101 - asked before
        address = ctypes.cast(self._callback, ctypes.c_void_p).value
        ctypes.c_void_p.from_address(self.place.of(decoder) + _EMIT).value = address

    def _note(self, decompressor: int, level: int) -> None:
        if level >= 0 or len(self.noted) >= _MOST:  # what is not a warning tells of each segment
            return
        text = ctypes.create_string_buffer(256)
        _Formatter(_pointer(_pointer(decompressor) + _FORMAT))(decompressor, text)
        self.noted.append(text.value.decode("ascii", "replace"))

    def _hears(self) -> bool:
        """Whether a cut picture is heard, and a whole one is not."""
        heard = []
        for data in (_sample(), _sample(cut=True)):
            with Image.open(io.BytesIO(data)) as image:
                image.load()
            heard.append(damage(data, self.take()))
        return heard[0] is None and heard[1] is not None


class _Listening:
    """A decoder of Pillow's whose messages are heard from its first bytes on."""

    def __init__(self, decoder: Any, ear: Ear) -> None:
        self._decoder, self._ear = decoder, ear
        self._begun = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def decode(self, data: bytes) -> tuple[int, int]:
        """Decode what there is; libjpeg is set up by the first two bytes, which are the same in each JPEG."""
        if self._begun:
            result: tuple[int, int] = self._decoder.decode(data)
            return result
        self._begun = True
        taken, error = self._decoder.decode(data[:2])
        if taken < 0:
            return taken, error
        self._ear.listen(self._decoder)
        more, error = self._decoder.decode(data[taken:])
        return (taken + more if more >= 0 else more), error


def damage(data: Octets, warnings: tuple[str, ...]) -> str | None:
    """Say why a JPEG that was decoded is not whole, in the decoder's words; None where nothing of the picture is missing."""
    for text in warnings:
        extra = _EXTRA.search(text)
        if extra is None:
            harmless = text.startswith(("Warning", "Unknown Adobe"))
        else:
            harmless = _is_spare(data, int(extra[1]), bytes.fromhex("ff" + extra[2]))
        if not harmless:
            return text.removeprefix("Corrupt JPEG data: ")
    return None


def _is_spare(data: Octets, count: int, marker: bytes) -> bool:
    """Whether no picture needs the bytes that a decoder passed over before a marker: ``count`` of them, or some more.

    So it is before the first scan; and where zeros, or before the end marker any byte repeated, are padding. Of a part that was
    zeroed the decoder takes some for codes, so that more stand there than it passed over.
    """
    end = 2
    for code, at, after in segments(data):
        if code == marker[1] and at - 2 > end:
            return True
        end = after
    at = data.find(marker, end)
    padding = data[at - 1 : at] if marker == _END else b"\0"
    start = data.find(padding * count + marker, end)
    return start >= 0 and data[max(0, start - _AHEAD) : start] != padding * _AHEAD


def _pointer(address: int) -> int:
    return ctypes.c_size_t.from_address(address).value


def _find(make: Any) -> _Place | None:
    """Look for the error manager in a decoder that has begun: it lies in the context that also points to it.

    Memory is read through the kernel, which says no where there is none.
    """
    decoder, image = make("RGB", "jpeg", ("RGB", ""), ()), Image.core.new("RGB", (64, 64))  # type: ignore[attr-defined]
    decoder.setimage(image, (0, 0, 64, 64))
    whole = _sample(cut=True)
    decoder.decode(whole[:2])
    with open("/proc/self/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - not a file
        found = list(_managers(memory.fileno(), id(decoder), type(decoder).__basicsize__))
        before = [_count(memory.fileno(), id(decoder), place) for place in found]
        decoder.decode(whole[2:])
        after = [_count(memory.fileno(), id(decoder), place) for place in found]
    decoder.cleanup()
    counting = [place for place, was, now in zip(found, before, after, strict=True) if was == 0 and 0 < now < _MOST]
    return counting[0] if len(counting) == 1 else None


def _managers(memory: int, decoder: int, size: int) -> Iterator[_Place]:
    for context in range(0, size - _POINTER + 1, _POINTER):
        start = _pointer(decoder + context)
        held = _read(memory, start, _CONTEXT) if start else b""
        for at in range(0, len(held) - _POINTER, _POINTER):
            manager = struct.unpack_from("P", held, at)[0]
            if start + at < manager < start + len(held) and len(_read(memory, manager, _COUNT + 8)) == _COUNT + 8:
                yield _Place(context, at)


def _read(memory: int, address: int, size: int) -> bytes:
    try:
        return os.pread(memory, size, address)
    except (OSError, OverflowError):
        return b""


def _count(memory: int, decoder: int, place: _Place) -> int:
    """The warnings counted at a place, which may be none: memory behind the context changes at any time. -1: nothing is there."""
    address = decoder + place.context
    for offset in (place.manager, _COUNT, 0):
        word = _read(memory, address, _POINTER)
        if len(word) < _POINTER:
            return -1
        address = struct.unpack("P", word)[0] + offset
    return ctypes.c_long(address).value


def _sample(*, cut: bool = False) -> bytes:
    """A small JPEG; ``cut`` in the middle of its pixels and closed with an end marker."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize((64, 64)).convert("RGB").save(out, "JPEG", quality=95)
    data = out.getvalue()
    scan = data.index(b"\xff\xda") + 14
    return data[: (scan + len(data)) // 2] + b"\xff\xd9" if cut else data


EAR = Ear()
"""The one of this process."""
