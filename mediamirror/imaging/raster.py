"""The pixels of one frame, copied piece by piece: a second copy of a large picture is never made. In worker processes only.

Pillow's WebP and AVIF plugins decode into bytes and then copy those into an image. Here the bytes are looked at where they are.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

_BAND = 1 << 20
"""Pixels that are copied at once."""

Box = tuple[int, int, int, int]


class Raster:
    """A frame, read in boxes of 8 bits a channel: L, RGB or RGBA, whatever its mode.

    ``size`` is that of the part from its upper left corner that is there for its readers; all of it by default.
    """

    def __init__(self, image: Image.Image, pixels: bytes | None = None, size: tuple[int, int] | None = None) -> None:
        """Read the pixels of ``image``, or ``pixels``, where its decoder gave them as bytes (`decoder_bytes`)."""
        self.image = image
        self._pixels = pixels
        self.width, self.height = self.size = size or image.size

    def crop(self, box: Box) -> Image.Image:
        """Copy the part between left, top, right and bottom."""
        left, top, right, bottom = box
        if self._pixels is None:
            return _plain(self.image.crop(box))
        band = self._rows(self._pixels, top, bottom)
        return band if (left, right) == (0, band.width) else band.crop((left, 0, right, bottom - top))

    def reduced(self, factor: int) -> Image.Image:
        """Each ``factor`` x ``factor`` pixels as one, their mean."""
        if factor == 1:
            return self.crop((0, 0, self.width, self.height))
        rows = max(1, _BAND // self.width // factor) * factor
        small: Image.Image | None = None
        for top in range(0, self.height, rows):
            part = self.crop((0, top, self.width, min(top + rows, self.height))).reduce(factor)
            if small is None:
                small = Image.new(part.mode, (part.width, -(-self.height // factor)))
            small.paste(part, (0, top // factor))
        assert small is not None  # noqa: S101 - a picture has a row
        return small

    def _rows(self, pixels: bytes, top: int, bottom: int) -> Image.Image:
        width, height = self.image.size
        stride = len(pixels) // height
        part = memoryview(pixels)[top * stride : bottom * stride]
        raw = getattr(self.image, "rawmode", self.image.mode)
        return Image.frombytes(self.image.mode, (width, bottom - top), part, "raw", raw)


def decoder_bytes(image: Image.Image, frame: int) -> bytes | None:
    """Decode a frame, each in turn, and return it as its decoder gives it; None for a format whose plugin does not do so.

    Raises EOFError where the decoder finds no such frame, and what else it raises.
    """
    decoder: Any = getattr(image, "_decoder", None)
    if decoder is None or image.format not in ("WEBP", "AVIF"):
        return None
    answer = decoder.get_next() if image.format == "WEBP" else decoder.get_frame(frame)
    if answer is None:
        raise EOFError("the decoder failed at the next frame")
    pixels: bytes = answer[0]
    return pixels


def forget_decoder(image: Image.Image) -> None:
    """Free what the decoder of a frame's bytes holds: twice its canvas for WebP. No further frame can be had."""
    if hasattr(image, "_decoder"):
        image._decoder = None


def _plain(image: Image.Image) -> Image.Image:
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    if image.mode.startswith("I"):  # 16 bits of grey; convert() would cut all above 255.
        return image.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
