"""Full decoding with Pillow: every pixel of every frame. Imported in worker processes only.

Python imports modules, and C libraries set themselves up, when they are first used. In the sandbox nothing can be opened, so
every kind of image is made, decoded, measured and encoded once before it closes, and tried once more inside.
"""

from __future__ import annotations

import encodings.utf_16_be
import encodings.utf_16_le
import encodings.utf_32
import io
import warnings
from typing import BinaryIO

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from mediamirror.errors import ImageError, ImageOverBudget, ImageTruncated, ImageUndecodable
from mediamirror.first_use import dataclass, replace
from mediamirror.imaging.decoder.protocol import Wish
from mediamirror.imaging.decoder.warned import EAR, damage
from mediamirror.imaging.header import FORMATS, check_budget, check_memory, map_file, read_whole
from mediamirror.imaging.octets import NAMES, Octets
from mediamirror.imaging.png import check_text
from mediamirror.imaging.similarity import Raster, decoder_bytes, forget_decoder, look_at
from mediamirror.imaging.strip import LeftAlone, strip
from mediamirror.model import ImageFacts, Look
from mediamirror.settings import CheckOptions

_PLUGINS = (
    *(AvifImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin),
    *(MpoImagePlugin, TiffImagePlugin),
)
"""Of Pillow's 43 formats those that are decoded, and the two that JPEG's own plugin asks for: for photographs in pairs, and EXIF."""

MAX_TEXT = 16 * 1024 * 1024
"""Bytes that a PNG's compressed texts and profiles may unpack to, all together."""


def configure(options: CheckOptions) -> None:
    """Set Pillow's own limits, which stand behind ours. The plugins that a job may need are loaded with this module."""
    warnings.simplefilter("ignore")
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    # Pillow raises at twice this value. Our own budget comes first, from the header.
    Image.MAX_IMAGE_PIXELS = (options.max_pixels + 1) // 2
    PngImagePlugin.MAX_TEXT_CHUNK = MAX_TEXT
    # One process per core already: threads inside would only take address space.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.preinit()
    EAR.install()


@dataclass(frozen=True, slots=True)
class Seen:
    """What decoding gave. ``look`` is None where none was wished for or none could be taken."""

    facts: ImageFacts
    look: Look | None = None


def decode(source: bytes | BinaryIO, options: CheckOptions, wish: Wish = Wish()) -> Seen:  # noqa: B008 - frozen
    """Decode an image, given as bytes or as an open file, and tell all facts, and a look if that is the wish.

    Raises `NotAnImage`, `ImageTruncated` (the structure ends early), `ImageOverBudget` before anything is decoded, and
    `ImageUndecodable` when the structure is whole and the decoder refuses the data. MemoryError passes through.
    """
    data = source if isinstance(source, bytes) else map_file(source)
    facts = read_whole(data)
    check_budget(facts, options)
    shrink = check_memory(data, facts, options.max_decode_memory).shrink
    if facts.format == "png":
        check_text(data, MAX_TEXT)
    try:
        return _decode(source, data, facts, options, wish, shrink)
    except (ImageError, MemoryError, Image.DecompressionBombError) as error:
        raise _refusal(error, facts) from error
    except Exception as error:
        # Pillow's plugins raise nearly anything on bad data (OSError, SyntaxError, ValueError, struct.error, ...), and its
        # readers of metadata do so where browsers pass on.
        try:
            bare = strip(data[:])
            note = () if facts.notes else ("a block of its metadata is broken",)
            return _decode(bare, bare, replace(facts, notes=facts.notes + note), options, wish, shrink)
        except (LeftAlone, Exception):
            raise _refusal(error, facts) from error


def _refusal(error: Exception, facts: ImageFacts) -> Exception:
    """The error that a decoder's error is told as."""
    if isinstance(error, ImageError | MemoryError):
        return error
    if isinstance(error, Image.DecompressionBombError):
        return ImageOverBudget(f"The decoder found more pixels than the header says: {error}")
    if isinstance(error, UnidentifiedImageError):  # its own words are the address of a buffer
        return ImageUndecodable(f"The {NAMES[facts.format]} can't be decoded: its data makes no sense.")
    return ImageUndecodable(f"The {NAMES[facts.format]} can't be decoded: {error or type(error).__name__}.")


def _decode(
    source: bytes | BinaryIO, data: Octets, facts: ImageFacts, options: CheckOptions, wish: Wish, shrink: int
) -> Seen:
    opened = io.BytesIO(data) if isinstance(source, bytes) else source
    with Image.open(opened, formats=(facts.format.upper(),)) as image:
        if image.width * image.height > facts.width * facts.height:
            raise ImageUndecodable(
                f"The {NAMES[facts.format]} can't be decoded: its header says {facts.width:,} x {facts.height:,} pixels, and "
                f"further on {image.width:,} x {image.height:,}."
            )
        if shrink > 1:
            image.draft(None, (image.width // shrink, image.height // shrink))
        raster = _first_frame(image, facts)
        if facts.format == "jpeg" and (missing := damage(data, EAR.take())) is not None:
            raise ImageTruncated(
                f"A part of the JPEG's data is missing or damaged, and that of the picture was made up ({missing}); "
                "fetch it again."
            )
        mode, alpha = image.mode, image.has_transparency_data
        width, height = image.size if shrink == 1 else (facts.width, facts.height)
        look = _look(raster, facts, wish, shrink) if wish.look else None
        del raster  # its bytes are freed before those of the next frame come
        frames = _load_further_frames(image, options) if facts.frames != 1 or facts.format == "avif" else 1
    if frames < (facts.frames or 1):
        raise ImageUndecodable(f"The animation announces {facts.frames:,} frames, and {frames:,} can be decoded.")
    return Seen(replace(facts, decoded=True, mode=mode, alpha=alpha, width=width, height=height), look)


def _first_frame(image: Image.Image, facts: ImageFacts) -> Raster:
    pixels = decoder_bytes(image, 0)
    if pixels is None:
        EAR.take()
        image.load()
    elif getattr(image, "n_frames", 1) == 1:
        forget_decoder(image)
    # The corner that a clean aperture leaves is all that a browser shows. An EXIF resolution cuts nothing off.
    return Raster(image, pixels, facts.corrected if facts.format == "avif" else None)


def _look(raster: Raster, facts: ImageFacts, wish: Wish, shrink: int) -> Look | None:
    """A look at the frame that is loaded. It is an extra: that it fails says nothing against the image."""
    try:
        return look_at(
            raster, facts, estimate=wish.estimate, widths=wish.widths, shrink=shrink, thumbnail=wish.thumbnail
        )
    except Exception:  # MemoryError, and whatever Pillow raises over an odd mode, profile or EXIF block
        return None


def _load_further_frames(image: Image.Image, options: CheckOptions) -> int:
    """Decode the frames after the first; returns how many there are with it."""
    frames = 1
    while True:
        try:
            image.seek(frames)
        except EOFError:
            return frames
        if decoder_bytes(image, frames) is None:
            image.load()
        frames += 1
        # One more than allowed may be the still picture that an APNG carries besides its animation.
        if frames > options.max_frames + 1 or frames * image.width * image.height > 2 * options.max_total_pixels:
            raise ImageOverBudget(
                f"The animation has more frames than its header says; the limit is {options.max_frames:,}."
            )


_CODECS = (encodings.utf_16_be, encodings.utf_16_le, encodings.utf_32)
"""Texts in metadata come in these; Python would load them at the first one."""

_CAMERA, _SERIAL = 0x0110, 0xA431


@dataclass(frozen=True, slots=True)
class Sample:
    """A small picture of one format, and what decoding it gave."""

    format: str
    data: bytes
    seen: Seen


def samples(options: CheckOptions) -> list[Sample]:
    """Make and decode a small picture of each format that this Pillow knows; a format that fails here is left out."""
    found: list[Sample] = []
    for name in FORMATS:
        try:
            data = _picture(name)
            found.append(Sample(name, data, _decode_sample(name, data, options)))
        except Exception:  # noqa: S112 - a Pillow built without this format: its images say so themselves
            continue
    return found


def differing(samples: list[Sample], options: CheckOptions) -> list[str]:
    """Decode the samples again, and name the formats of those that now give something else."""
    return [sample.format for sample in samples if not _same(sample, options)]


def _same(sample: Sample, options: CheckOptions) -> bool:
    try:
        return _decode_sample(sample.format, sample.data, options) == sample.seen
    except Exception:
        return False


def _decode_sample(name: str, data: bytes, options: CheckOptions) -> Seen:
    # Looking and encoding take ten times as long as all the rest, and are the same for every format: once is enough to load them.
    return decode(data, options, Wish(look=name == "jpeg", estimate=name == "jpeg"))


def _picture(name: str) -> bytes:
    """Two frames where the format has them, a colour profile and EXIF where it takes them."""
    picture = Image.radial_gradient("L").resize((34, 32))
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
