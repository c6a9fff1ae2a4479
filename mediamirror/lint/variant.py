"""MM2xx and MM3xx, about one file: whether the origin gives it out, how it labels it and what it tells caches (RFC 9111); and what
the bytes are, beside what the markup and the file name say, and what they tell besides the picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from mediamirror.dialects import read
from mediamirror.errors import (
    EmptyBody,
    FetchError,
    HTTPStatus,
    ImageError,
    ImageOverBudget,
    ImageTruncated,
    NotAnImage,
    NotInSite,
    TransferTruncated,
)
from mediamirror.first_use import pattern
from mediamirror.lint.rules import rule
from mediamirror.lint.subject import (
    VAGUE_TYPES,
    Subject,
    Violation,
    WidthTag,
    essence,
    file_name,
    format_of_extension,
    format_of_mime,
    split_extensions,
    width_tag,
)
from mediamirror.model import Download, ImageFacts, Severity

_SVG = "image/svg+xml"
"""The one type as which an ``img`` shows a drawing; of other formats browsers look at the bytes."""


@rule("MM201", "content-type-differs", Severity.WARNING, about="file")
def content_type_differs(subject: Subject) -> Iterator[Violation]:
    """Fire when a Content-Type that says something says something else, and for a drawing that is not served as one."""
    facts, served = subject.facts, subject.download.content_type if subject.download else None
    # What a mirror refuses for what it is needs no word on its label.
    refused = subject.storing and isinstance(subject.result, ImageError)
    if subject.unread == "svg" and not refused and served not in (None, _SVG):
        message = f"Served as {served}, but the bytes are an SVG drawing: browsers show it as {_SVG} only."
        yield Violation(message, served, _SVG)
    if facts is None or served is None or served in VAGUE_TYPES:
        return
    if format_of_mime(served) != facts.format:
        yield Violation(f"Served as {served}, but the bytes are {facts.format}.", served, f"image/{facts.format}")


@rule("MM202", "content-type-missing", Severity.NOTE, about="file")
def content_type_missing(subject: Subject) -> Iterator[Violation]:
    """Fire when the header is missing or vague."""
    if subject.download is None:
        return
    facts, served = subject.facts, subject.download.content_type
    if facts is not None and (served is None or served in VAGUE_TYPES):
        how = f"Served as {served}" if served else "Served without Content-Type"
        yield Violation(f"{how}; the bytes are {facts.format}.", served, f"image/{facts.format}")


_FOR_NOW = frozenset({408, 425, 429})
"""Client errors that say "later" and not "no"."""


@rule("MM203", "gone", Severity.ERROR, verify_only=True, about="file")
def gone(subject: Subject) -> Iterator[Violation]:
    """Fire for client errors (404, 410, 403, ...) that a later try does not mend, and for a file that a built site lacks."""
    result = subject.result
    if isinstance(result, HTTPStatus) and 400 <= result.status < 500 and result.status not in _FOR_NOW:
        said = f": {result.said.removesuffix('.')}" if result.said else ""
        yield Violation(f"The origin answered {result.status}{said}.", "200", str(result.status))
    if isinstance(result, NotInSite):
        hint = f": {result.hint}" if result.hint else ""
        yield Violation(f"The site has no such file{hint}.", "a file", "none")


@rule("MM204", "redirected-elsewhere", Severity.WARNING, verify_only=True, about="file")
def redirected_elsewhere(subject: Subject) -> Iterator[Violation]:
    """Fire unless only the scheme or a ``www.`` changed on the way."""
    download = subject.download
    if download is not None and download.final_url and _address(download.final_url) != _address(subject.variant.url):
        message = f"Redirected to {download.final_url[:300]}."
        yield Violation(message, subject.variant.url, download.final_url)


def _address(url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return "", url, ""
    return host, parts.path, parts.query


@rule("MM207", "transfer-cut", Severity.ERROR, verify_only=True, about="file")
def transfer_cut(subject: Subject) -> Iterator[Violation]:
    """Fire for `TransferTruncated`."""
    if isinstance(subject.result, TransferTruncated):
        yield Violation(subject.result.message, "a whole transfer", "cut short")


@rule("MM208", "not-fetched", Severity.ERROR, verify_only=True, about="file")
def not_fetched(subject: Subject) -> Iterator[Violation]:
    """Fire for every failure on the way in that has no rule of its own: no address, no connection, refused here, 503, ..."""
    result = subject.result
    told = isinstance(result, TransferTruncated | EmptyBody) or any(gone(subject))
    if isinstance(result, FetchError) and not told:
        yield Violation(result.message, "a file", result.code)


_DIRECTIVE = pattern(r"([^\s,=]++)\s*+(?:=\s*+(\"(?:[^\"\\]++|\\.|(?!))*+\"|[^\s,]*+)|(?!))?+[^,]*+")
_SECONDS = pattern(r"-?[0-9]{1,18}", re.ASCII)


@rule("MM205", "caching-unspecified", Severity.NOTE, verify_only=True, about="file")
def caching_unspecified(subject: Subject) -> Iterator[Violation]:
    """Fire when no lifetime is given, neither by Cache-Control nor by Expires, and keeping is not forbidden either."""
    download = subject.download
    if download is None or subject.facts is None or _refusal(download) or _lifetime(download) is not None:
        return
    if (urlsplit(download.final_url).hostname or "").endswith(".invalid"):
        return  # what an INPUT held itself was not served
    control = _control(download)
    if control:
        message = f"Served with Cache-Control: {control[:200]}, which does not say how long."
        yield Violation(message, "a max-age", control[:200])
    else:
        yield Violation("Served without Cache-Control and Expires.", "a max-age", "no caching headers")


@rule("MM206", "caching-refused", Severity.NOTE, verify_only=True, about="file")
def caching_refused(subject: Subject) -> Iterator[Violation]:
    """Fire for ``no-store``, ``no-cache``, a lifetime of zero or in the past, and ``Pragma: no-cache`` by itself.

    A ``max-age`` of zero beside an ``s-maxage`` is leave for the shared caches that most readers are behind.
    """
    download = subject.download
    if download is None or subject.facts is None:
        return
    refusal = _refusal(download)
    if refusal:
        yield Violation(f"Served with {refusal}.", "a max-age", refusal.partition(": ")[2])


def _control(download: Download) -> str:
    return ", ".join(value for name, value in download.headers if name == "cache-control").strip(" ,")


def _directives(control: str) -> Mapping[str, str]:
    """The directives in lower case with their arguments, quotes taken off; of repeated ones the first counts (4.2.1)."""
    read: dict[str, str] = {}
    for found in _DIRECTIVE.finditer(control):
        read.setdefault(found[1].lower(), (found[2] or "").strip('"').strip())
    return read


def _told_seconds(directives: Mapping[str, str]) -> int | None:
    said = [int(value) for value in map(directives.get, ("s-maxage", "max-age")) if value and _SECONDS.fullmatch(value)]
    return max(said) if said else None


def _lifetime(download: Download) -> int | None:
    """Seconds for which some cache may answer by itself; None where nothing that can be read is said of it."""
    told, expires = _told_seconds(_directives(_control(download))), download.header("expires")
    if told is not None or expires is None:
        return told
    until, now = _time(expires), _time(download.header("date") or "") or download.fetched_at
    # Section 5.3: a date that can't be read, especially 0, is one in the past.
    return 0 if until is None else int((until - now).total_seconds())


def _time(text: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


def _refusal(download: Download) -> str:
    """The header that forbids to keep the image or to use it unasked; empty when none does."""
    control = _control(download)
    directives = _directives(control)
    # no-cache with field names speaks of those fields alone.
    if "no-store" in directives or directives.get("no-cache") == "":
        return f"Cache-Control: {control[:200]}"
    lifetime = _lifetime(download)
    if lifetime is not None and lifetime <= 0:
        if _told_seconds(directives) is not None:
            return f"Cache-Control: {control[:200]}"
        return f"Expires: {(download.header('expires') or '')[:200]}"
    pragma = download.header("pragma") or ""
    return f"Pragma: {pragma[:200]}" if lifetime is None and not control and "no-cache" in pragma.lower() else ""


DAMAGED = "damaged "
"""How the kind of such a file begins: `imaging` tells the format after it."""
_HAS_ITS_RULE = (ImageTruncated, NotAnImage, ImageOverBudget)


def _keeps(promised: int, facts: ImageFacts, subject: Subject) -> bool:
    """Whether the width is as promised, as it is shown or before it is turned: tools write either one into descriptors."""
    return any(subject.tolerance.allows(promised, real) for real in widths_kept(facts))


def widths_kept(facts: ImageFacts) -> tuple[int, int]:
    """The width that a browser would say without the orientation, and the one that it says."""
    width, height = facts.natural
    return (height, width) if facts.on_its_side else (width, width)


def _real(facts: ImageFacts) -> str:
    """The real width in words."""
    shown = facts.natural[0]
    return f"{facts.width} pixels wide" + (f" ({shown} as shown, {causes(facts)})" if shown != facts.width else "")


def causes(facts: ImageFacts) -> str:
    """What makes browsers show another size than the stored one, in words, and which browser goes another way."""
    corrected = {
        "jpeg": "by the resolution in its EXIF",
        "avif": "cut to its clean aperture (in Chromium; Firefox shows nothing)",
    }
    turned = {
        "jpeg": "turned by its EXIF orientation",
        "png": "turned by its EXIF orientation (not in Safari)",
        "avif": "turned by its irot and imir properties",
    }
    told = [
        corrected.get(facts.format, "") if facts.corrected else "",
        turned.get(facts.format, "") if facts.on_its_side else "",
    ]
    return " and ".join(filter(None, told))


@rule("MM301", "width-differs-from-descriptor", Severity.ERROR, rejects=True, about="file")
def width_differs_from_descriptor(subject: Subject) -> Iterator[Violation]:
    """Fire once for each promise that the width breaks."""
    facts = subject.facts
    if facts is None:
        return
    for promise in dict.fromkeys(subject.variant.promises):
        if promise.width is not None and not _keeps(promise.width, facts, subject):
            also, cause = _cause(promise.width, facts, subject)
            message = f"Declared {promise.width}w{also}, but the image is {_real(facts)}.{cause}"
            yield Violation(
                message,
                str(promise.width),
                str(facts.natural[0] if facts.corrected else facts.width),
                promise.reference,
            )


def _cause(declared: int, facts: ImageFacts, subject: Subject) -> tuple[str, str]:
    """What the address says to it, and the likely cause with what mends it; both empty where the address asks for no width."""
    asked = read(subject.variant.url).asked
    if asked is None or asked.width is None:
        return "", ""
    if asked.width == declared:
        return " and asked for in its address", ""
    if not _keeps(asked.width, facts, subject):
        return "", ""
    if len(subject.variant.declared_widths) > 1:
        cause = "One address stands for several widths: what wrote the srcset does not put the width into the address"
        return "", f" {cause}; configure the provider's sizes or formats."
    cause = f"Its address asks for {asked.width}: an image provider that takes widths from a list of its own wrote the address"
    return "", f" {cause}; add {declared} to that list, or declare {asked.width}w."


@rule("MM302", "width-differs-from-name", Severity.ERROR, rejects=True, about="file")
def width_differs_from_name(subject: Subject) -> Iterator[Violation]:
    """Fire when the name has a width tag that is a promise, and the image has none of its sizes."""
    facts, tag = subject.facts, width_tag(subject.variant.url, subject.known_widths)
    if facts is None or tag is None:
        return
    if any(_keeps(side, facts, subject) for side in tag.sides) or _fills(tag, facts, subject):
        return
    if _is_promise(tag, facts, subject):
        message = f'The file name says {tag.width} pixels ("{tag.text}"), but the image is {_real(facts)}.'
        yield Violation(message, str(tag.width), str(facts.natural[0] if facts.corrected else facts.width))


def _is_promise(tag: WidthTag, facts: ImageFacts, subject: Subject) -> bool:
    """Whether the number in a name promises a width. docs/decisions/0050 has the table with its false and missed accusations.

    | the address asks for a size | every name of the set has the number | the descriptor holds | the names form a ladder | promise |
    |-----------------------------|--------------------------------------|----------------------|-------------------------|---------|
    | yes                         |                                      |                      |                         | no      |
    | no                          | yes                                  |                      |                         | no      |
    | no                          | no                                   | yes                  | no                      | no      |
    | otherwise                   |                                      |                      |                         | yes     |

    Besides, the widest of a set whose descriptor holds may be narrower than its name says: resizers don't enlarge.
    """
    variant = subject.variant
    asked = read(variant.url).asked
    if asked is not None and asked.sized:
        return False
    tags = {other.url: width_tag(other.url, subject.known_widths) for other in subject.siblings}
    if len(tags) > 1 and all(other is not None and other.text == tag.text for other in tags.values()):
        return False
    if not any(_keeps(width, facts, subject) for width in variant.declared_widths):
        return True
    if max(tag.sides) > facts.natural[0] and max(subject.known_widths) in variant.declared_widths:
        return False
    ladder = any(
        (other := tags[sibling.url]) is not None and other.width in sibling.declared_widths
        for sibling in subject.siblings
        if sibling.url != variant.url
    )
    return ladder or tag.width in subject.known_widths - set(variant.declared_widths)


def _fills(tag: WidthTag, facts: ImageFacts, subject: Subject) -> bool:
    """Whether the image is as high as one side of the box that its name tells."""
    heights = {facts.natural[1], facts.height}
    return tag.height is not None and any(subject.tolerance.allows(s, real) for s in tag.sides for real in heights)


@rule("MM303", "format-differs-from-extension", Severity.WARNING, about="file")
def format_differs_from_extension(subject: Subject) -> Iterator[Violation]:
    """Fire when the last extension is one of images and of another format, unless the origin chooses the format on purpose.

    Of a file that was reached by a redirect the name at its end counts: the redirect has a rule of its own.
    """
    facts, download, url = subject.facts, subject.download, subject.variant.url
    if subject.true_ending:
        return
    if not subject.storing and download is not None and download.final_url:
        url = download.final_url
    extension = split_extensions(file_name(url))[1]
    promised = format_of_extension(extension)
    if facts is not None and promised is not None and promised != facts.format and not _is_chosen(subject, facts):
        yield Violation(
            f"The file name ends in .{extension}, but the bytes are {facts.format}.", extension, facts.format
        )


def _is_chosen(subject: Subject, facts: ImageFacts) -> bool:
    """Whether the format is one that was asked for by the URL, or that the origin says to choose by what a browser accepts."""
    download = subject.download
    if subject.storing or download is None or format_of_mime(download.content_type or "") != facts.format:
        return False
    asked = read(subject.variant.url).asked
    named = asked.format if asked is not None else None
    chosen = named is not None and (format_of_extension(named) or named) in {"auto", "format", facts.format}
    return chosen or _negotiates(download)


def _negotiates(download: Download) -> bool:
    """Whether the origin says that it goes by what a browser accepts."""
    vary = ",".join(value.lower() for name, value in download.headers if name == "vary")
    return "accept" in {word.strip() for word in vary.split(",")}


@rule("MM304", "format-differs-from-type", Severity.WARNING, about="file")
def format_differs_from_type(subject: Subject) -> Iterator[Violation]:
    """Fire once for each promise of another type, unless the origin negotiates and labels truly: who can't show it isn't sent it."""
    facts, download = subject.facts, subject.download
    if facts is None:
        return
    labelled = download is not None and format_of_mime(download.content_type or "") == facts.format
    if not subject.storing and download is not None and labelled and _negotiates(download):
        return
    for promise in dict.fromkeys(subject.variant.promises):
        if promise.mime and essence(promise.mime) and format_of_mime(promise.mime) != facts.format:
            declared = essence(promise.mime)
            message = f'Declared type="{declared}", but the bytes are {facts.format}.'
            yield Violation(message, declared, f"image/{facts.format}", promise.reference)


@rule("MM305", "truncated", Severity.ERROR, rejects=True, about="file")
def truncated(subject: Subject) -> Iterator[Violation]:
    """Fire for `ImageTruncated`."""
    if isinstance(subject.result, ImageTruncated):
        yield Violation(subject.result.message, "a whole image", "truncated")


@rule("MM306", "undecodable", Severity.ERROR, rejects=True, about="file")
def undecodable(subject: Subject) -> Iterator[Violation]:
    """Fire for `ImageUndecodable`, and for any image error that has no rule of its own."""
    result = subject.result
    if isinstance(result, ImageError) and (_is_damaged(result) or not isinstance(result, _HAS_ITS_RULE)):
        yield Violation(result.message, "a valid image", "undecodable")


def _is_damaged(result: object) -> bool:
    """Whether the bytes begin like a format that is read here, and then break its rules."""
    return isinstance(result, NotAnImage) and (result.kind or "").startswith(DAMAGED)


@rule("MM307", "not-an-image", Severity.ERROR, rejects=True, about="file")
def not_an_image(subject: Subject) -> Iterator[Violation]:
    """Fire for `NotAnImage` and `EmptyBody`; for a drawing or an icon that a page promises only where it is to be stored."""
    if isinstance(subject.result, EmptyBody):
        yield Violation(subject.result.message, "an image", "empty")
    told = _is_damaged(subject.result)
    if isinstance(subject.result, NotAnImage) and not told and (subject.storing or subject.unread is None):
        served = subject.download.content_type if subject.download else None
        yield Violation(subject.result.message, "an image", subject.result.kind or served or "not an image")


@rule("MM308", "over-limit", Severity.ERROR, rejects=True, about="file")
def over_limit(subject: Subject) -> Iterator[Violation]:
    """Fire for `ImageOverBudget`."""
    if isinstance(subject.result, ImageOverBudget):
        yield Violation(subject.result.message, "within the limits", "over a limit")


@rule("MM315", "personal-exif", Severity.WARNING, verify_only=True, about="file")
def personal_exif(subject: Subject) -> Iterator[Violation]:
    """Fire once for a file with a position, or with an entry of `Look.personal`."""
    facts, look = subject.facts, subject.look
    told = ["GPS position"] if facts is not None and facts.has_gps else []
    told += look.personal if look is not None else ()
    if told:
        yield Violation(f"Its EXIF holds: {', '.join(told)}.", None, ", ".join(told))


@rule("MM316", "cmyk", Severity.WARNING, verify_only=True, about="file")
def cmyk(subject: Subject) -> Iterator[Violation]:
    """Fire for a decoded image of four printing colours."""
    if subject.facts is not None and subject.facts.mode == "CMYK":
        yield Violation("The image is CMYK.", "RGB", "CMYK")


@rule("MM318", "broken-metadata", Severity.NOTE, verify_only=True, about="file")
def broken_metadata(subject: Subject) -> Iterator[Violation]:
    """Fire once for a file with `ImageFacts.notes`."""
    notes = subject.facts.notes if subject.facts is not None else ()
    if notes:
        yield Violation(f"Browsers ignore a damaged part of it: {'; '.join(notes)}.", None, "; ".join(notes))


@rule("MM319", "browsers-differ", Severity.NOTE, verify_only=True, about="file")
def browsers_differ(subject: Subject) -> Iterator[Violation]:
    """Fire for a file that browsers show in different sizes or turned in different ways (docs/decisions/0051-natural-size.md)."""
    facts = subject.facts
    if facts is None:
        return
    others = {
        _in_firefox(facts): facts.in_firefox is not None,
        "Safari shows it as it is stored": facts.format == "png" and facts.orientation not in (None, 1),
    }
    told = [words for words, so in others.items() if so]
    if told:
        shown = _turned((*facts.natural, facts.orientation or 1))
        yield Violation(f"Chromium shows {shown}; {'; '.join(told)}.", shown, "; ".join(told))


def _in_firefox(facts: ImageFacts) -> str:
    if facts.in_firefox is not None and not facts.in_firefox[0]:
        return "Firefox shows nothing of it"
    why = "" if facts.format == "gif" else ", which reads its EXIF in another way,"
    return f"Firefox{why} shows {_turned(facts.in_firefox)}"


def _turned(shown: tuple[int, int, int] | None) -> str:
    """A size and an orientation in words."""
    width, height, orientation = shown or (0, 0, 1)
    return f"{width} x {height}" + (f" with orientation {orientation}" if orientation != 1 else "")


@rule("MM317", "wide-profile-unused", Severity.NOTE, verify_only=True, about="file")
def wide_profile_unused(subject: Subject) -> Iterator[Violation]:
    """Fire for a wide profile whose extra colours the picture does not use."""
    look = subject.look
    if look is not None and look.wide == "unused":
        yield Violation(
            f'Its profile is "{look.profile or "unnamed"}", and all of its colours are in sRGB.', "sRGB", look.profile
        )
