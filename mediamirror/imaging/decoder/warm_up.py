"""Loading all that decoding needs before the sandbox closes, and trying it once more inside. Worker processes only.

Python imports modules, and C libraries set themselves up, when they are first used. In the sandbox nothing can be opened, so
every kind of image is made, decoded, measured and encoded once before.
"""

from __future__ import annotations

import encodings.utf_16_be
import encodings.utf_16_le
import encodings.utf_32
import io

from PIL import Image, ImageCms

from mediamirror.first_use import dataclass
from mediamirror.imaging.decoder import pixels
from mediamirror.imaging.decoder.protocol import Wish
from mediamirror.imaging.header import FORMATS
from mediamirror.settings import CheckOptions

_CODECS = (encodings.utf_16_be, encodings.utf_16_le, encodings.utf_32)
"""Texts in metadata come in these; Python would load them at the first one."""

_CAMERA, _SERIAL = 0x0110, 0xA431


@dataclass(frozen=True, slots=True)
class Sample:
    """A small picture of one format, and what decoding it gave."""

    format: str
    data: bytes
    seen: pixels.Seen


def samples(options: CheckOptions) -> list[Sample]:
    """Make and decode a small picture of each format that this Pillow knows; a format that fails here is left out."""
    found: list[Sample] = []
    for name in FORMATS:
        try:
            data = _picture(name)
            found.append(Sample(name, data, _decode(name, data, options)))
        except Exception:  # noqa: S112 - a Pillow built without this format: its images say so themselves
            continue
    return found


def differing(samples: list[Sample], options: CheckOptions) -> list[str]:
    """Decode the samples again, and name the formats of those that now give something else."""
    return [sample.format for sample in samples if not _same(sample, options)]


def _same(sample: Sample, options: CheckOptions) -> bool:
    try:
        return _decode(sample.format, sample.data, options) == sample.seen
    except Exception:
        return False


def _decode(name: str, data: bytes, options: CheckOptions) -> pixels.Seen:
    # Encoding takes ten times as long as all the rest: once is enough to load it.
    return pixels.decode(data, options, Wish(look=True, estimate=name == "jpeg"))


def _picture(name: str) -> bytes:
    """Two frames where the format has them, a colour profile and EXIF where it takes them."""
    picture = Image.radial_gradient("L").resize((66, 64))
    first = Image.merge("RGBA", (picture, picture.rotate(90), picture.rotate(180), picture))
    exif = Image.Exif()
    exif[_CAMERA], exif[_SERIAL] = "none", "none"
    moving = name in {"webp", "gif", "png", "avif"}
    out = io.BytesIO()
    (first if moving else first.convert("RGB")).save(
        out,
        name,
        **{"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), "exif": exif},
        **({"save_all": True, "append_images": [first.rotate(90)]} if moving else {}),
        **({"speed": 10, "max_threads": 1} if name == "avif" else {}),
    )
    return out.getvalue()
