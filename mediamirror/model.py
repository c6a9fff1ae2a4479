"""The nouns of mediamirror. All frozen; nothing here does I/O.

Terms follow the HTML standard where it has one (https://html.spec.whatwg.org/multipage/images.html):
image candidate, width descriptor, pixel density descriptor, source set, source size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, overload

from mediamirror.first_use import dataclass

Span = tuple[int, int]
"""Start and end, half open. Each use says whether it counts code points of a value or bytes of a document."""


class Severity(StrEnum):
    """How much a finding matters. ``error``: something is broken or wrong."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Status(StrEnum):
    """What became of a variant."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    FAILED = "failed"
    SKIPPED = "skipped"
    REPAIRED = "repaired"
    """Was damaged or missing in a mirror, and its recorded bytes were put back."""
    CHECKED = "checked"
    """Looked at by `verify`, which stores nothing; of a mirror: compared with its record, and as recorded."""
    UNRECORDED = "unrecorded"
    """Lies in a mirror of which `verify` has a record, and is not in it: there is nothing to compare it with."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a URL was found.

    ``line`` counts from 1. ``span`` is the URL's place in the document's raw bytes, as spelled there
    (character references and all), or None where the document has no such place.
    """

    document: str
    carrier: str
    attribute: str | None
    line: int
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One image candidate string: a URL and its descriptors.

    From `parse_srcset`, ``url`` is as written and ``value[slice(*span)] == url``. A finder replaces ``url`` by the
    resolved, serialised URL without its fragment (what a browser requests), keeps the spelling in ``raw_url`` and
    adds a ``reference``. ``width`` and ``height`` are CSS-independent pixels of the file, ``density`` is pixels per
    CSS pixel. An absent descriptor stays None; it is not stored as 1x. ``descriptor_span`` is empty when there is none.
    ``flags`` name what was cleaned up on the way (``glued``, ``unescaped``, ...).
    """

    url: str
    span: Span
    width: int | None = None
    density: float | None = None
    height: int | None = None
    descriptor_span: Span = (0, 0)
    raw_url: str = ""
    reference: Reference | None = None
    flags: tuple[str, ...] = ()


def descriptor(width: int | None, density: float | None) -> str | None:
    """Return a candidate's descriptor as a srcset has it, ``480w`` or ``2x``; None for one without."""
    return f"{width}w" if width is not None else None if density is None else f"{density:g}x"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that looks like an image reference and can't be used, and why. Nothing is dropped in silence.

    ``span`` counts code points of the value parsed. ``line`` counts from 1 within ``document``; 0 where unknown.
    ``words`` are what it is about, as written: of a dropped candidate the URL and, where one is not known, the descriptor.
    ``attribute`` is the one that it stands in, where that is known; ``template`` for what a template element keeps for its script.
    ``severity`` is ``error`` where it makes the run fail, ``warning`` where images could not be looked at for it. ``alt`` is the
    alt text of an element none of whose URLs can be used.
    """

    code: str
    message: str
    line: int = 0
    span: Span | None = None
    document: str = ""
    words: tuple[str, ...] = ()
    attribute: str | None = None
    severity: Severity = Severity.NOTE
    alt: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedSrcset:
    """What `parse_srcset` returns: every candidate in order, and a problem for each one dropped."""

    candidates: tuple[Candidate, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One element (or run of text) that contributes candidates to an image set.

    ``candidates`` are those of its srcset; ``default`` is its ``src`` or ``href``, without descriptor. ``ignored``
    names the reason why a browser never selects from it (``after-img``, ``no-srcset``, ...): a mirror still wants it.
    ``lazy`` is the element's ``loading=lazy``; ``width`` and ``height`` are its dimension attributes in CSS pixels.
    ``inline`` and ``inline_default`` are ``data:`` URLs, cut to a few characters: nothing to fetch, so no candidates, but
    a browser may choose one.
    """

    carrier: str
    candidates: tuple[Candidate, ...] = ()
    default: Candidate | None = None
    media: str | None = None
    mime: str | None = None
    sizes: str | None = None
    lazy: bool = False
    ignored: str | None = None
    width: int | None = None
    height: int | None = None
    inline: tuple[Candidate, ...] = ()
    inline_default: Candidate | None = None
    switched_off: str | None = None
    """The element's ``data-mediamirror-ignore``: rules that its author switched off, and why."""


@dataclass(frozen=True, slots=True)
class ImageSet:
    """One logical image: its sources in document order, alt text and context.

    ``context`` is the text before the set on its line (a date, a site) in text dumps. ``inferred`` is True when the
    set was grouped by file naming only. ``places`` are further references of the same set in the document, and ``others``
    those of them that are elements written in another way (other ``sizes``, no ``loading``, a mistake of their own).
    """

    document: str
    line: int
    sources: tuple[Source, ...]
    alt: str | None = None
    context: str | None = None
    inferred: bool = False
    problems: tuple[Problem, ...] = ()
    places: tuple[Reference, ...] = ()
    others: tuple[ImageSet, ...] = field(default=(), repr=False, compare=False)
    read_as: str = field(default="", repr=False, compare=False)
    """How its document was read, and from which container, where `parse` was asked to explain: ``html, in zip a.zip``."""

    @property
    def entries(self) -> list[tuple[Source, Candidate]]:
        """Every candidate with its source, in document order; an img's src is one of them."""
        rows: list[tuple[Source, Candidate]] = []
        for source in self.sources:
            own = [(source, c) for c in source.candidates]
            if source.default is not None:
                at = _position(source.default)
                first = bool(own) and at is not None and (_position(own[0][1]) or 0) > at
                own.insert(0 if first or not own else len(own), (source, source.default))
            rows.extend(own)
        return rows

    @property
    def candidates(self) -> list[Candidate]:
        """Every candidate, in document order."""
        if len(self.sources) == 1 and self.sources[0].default is None:
            return list(self.sources[0].candidates)
        return [candidate for _, candidate in self.entries]


def _position(candidate: Candidate) -> int | None:
    ref = candidate.reference
    return ref.span[0] if ref is not None and ref.span is not None else None


Bare = tuple[str, int, int]
"""A URL that stands for itself in a list, as it is requested and as it is written; its line, and the byte that it begins at."""


class Listed(Sequence[ImageSet]):
    """The image sets of a list. Those of one `Bare` URL are made when they are looked at: a list may have a million, and few are."""

    __slots__ = ("carrier", "document", "rows")

    def __init__(self, document: str, carrier: str, rows: Sequence[Bare | ImageSet]) -> None:
        self.document = document
        self.carrier = carrier
        self.rows = rows

    def __len__(self) -> int:
        """Their number."""
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> ImageSet: ...

    @overload
    def __getitem__(self, at: slice) -> Listed: ...

    def __getitem__(self, at: int | slice) -> ImageSet | Listed:
        """One of them, or some."""
        if isinstance(at, slice):
            return Listed(self.document, self.carrier, self.rows[at])
        row = self.rows[at]
        return row if isinstance(row, ImageSet) else self._made(*row)

    def __iter__(self) -> Iterator[ImageSet]:
        """All of them, one after another."""
        return (row if isinstance(row, ImageSet) else self._made(*row) for row in self.rows)

    def _made(self, url: str, line: int, start: int) -> ImageSet:
        size = len(url)
        reference = Reference(self.document, self.carrier, None, line, (start, start + size))
        candidate = Candidate(url, (0, size), None, None, None, (size, size), url, reference)
        return ImageSet(self.document, line, (Source(self.carrier, (candidate,)),))


@dataclass(frozen=True, slots=True)
class Extraction:
    """What one document holds: its image sets, and the problems that belong to none of them."""

    sets: Sequence[ImageSet]
    problems: tuple[Problem, ...] = ()
    goes_on: bool = False
    """Whether these are some of the sets of a document that is told a few at a time, and the next ones follow."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Image sets of a document as they are printed, made where they were found, in another process.

    ``text`` is whole lines. ``sets`` are those with candidates; ``problems`` are of the sets, and in the text already.
    """

    text: str
    sets: int
    urls: frozenset[str]
    problems: tuple[Problem, ...] = ()
    goes_on: bool = False
    """As of an `Extraction`."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What one candidate says about a URL: width in pixels, MIME type, and who says it."""

    width: int | None
    mime: str | None
    reference: Reference


@dataclass(frozen=True, slots=True)
class Variant:
    """One URL to fetch, with everything that was promised about it by any candidate."""

    url: str
    promises: tuple[Promise, ...] = ()

    @property
    def declared_widths(self) -> tuple[int, ...]:
        """The distinct width descriptors, ascending, in pixels."""
        if len(self.promises) == 1:
            width = self.promises[0].width
            return () if width is None else (width,)
        return tuple(sorted({p.width for p in self.promises if p.width is not None}))

    @property
    def documents(self) -> tuple[str, ...]:
        """The documents that the promises stand in, each once."""
        return tuple(dict.fromkeys(p.reference.document for p in self.promises))


@dataclass(frozen=True, slots=True)
class Body:
    """Bytes that were received whole: in memory (``data``) or spooled (``path``), never both.

    ``size`` in bytes, ``sha256`` in lower-case hex, ``prefix`` the first bytes (64 KiB or more, where there are).
    """

    size: int
    sha256: str
    data: bytes | None = None
    path: Path | None = None
    prefix: bytes = b""
    framed: bool = True
    """False where nothing but the end of the connection said that this is the end (RFC 9112, 6.3): it may be cut."""


@dataclass(frozen=True, slots=True)
class Capture:
    """One question to an origin and its answer, a single hop of the way, as an archive keeps them.

    ``head`` are the bytes of the answer's head as they came. ``sent`` are the header fields that were sent, those with secrets
    left out; ``address`` is the server's IP address, where that is known. ``body`` is None where there can be none; it is in the
    content coding that it came in, and has lost its transfer coding. ``cut`` says why it is not there to its end, as
    ``WARC-Truncated`` does. With ``owned`` its file is nobody else's.
    """

    url: str
    at: datetime
    status: int
    head: bytes
    sent: tuple[tuple[str, str], ...]
    address: str | None
    body: Body | bytes | None
    cut: str | None = None
    owned: bool = False


class Passed(NamedTuple):
    """An answer that led on to another URL; ``at`` is when it came, where that is known."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """One completed exchange with an origin. ``body`` is None for 304 Not Modified.

    ``headers`` keep their order and repeats, names in lower case. ``seconds`` is from the first dial to the last byte.
    """

    url: str
    final_url: str
    http_status: int
    headers: tuple[tuple[str, str], ...]
    body: Body | None
    fetched_at: datetime
    seconds: float = 0.0
    hops: tuple[Passed, ...] = ()
    """The answers that led on to another URL before ``final_url``'s."""
    asked: str | None = None
    """A digest of the user's request headers on which the answer may depend (RFC 9110, 12.5.5), where there are any."""

    @property
    def redirects(self) -> tuple[str, ...]:
        """The URLs passed through before ``final_url``."""
        return tuple(hop.url for hop in self.hops)

    def header(self, name: str) -> str | None:
        """The first value of a header, by lower-case name."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def content_type(self) -> str | None:
        """The essence of Content-Type: lower case, without parameters.

        Of several, in one field or more, the last that is one counts (Fetch, "extract a MIME type").
        """
        values = ",".join([value for key, value in self.headers if key == "content-type"])
        types = [word.partition(";")[0].strip().lower() for word in values.split(",")]
        return next((t for t in reversed(types) if "/" in t and t != "*/*"), types[0]) or None


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the bytes say. ``width`` and ``height`` are the canvas in pixels, as stored; `natural` is what a browser makes of it.

    ``format`` is lower case (``webp``, ``jpeg``, ``png``, ``gif``, ``avif``). ``decoded`` is True when every pixel of
    every frame was decoded; otherwise only the header was read, and the fields with None are not known. ``orientation`` is the
    one that browsers follow, 1 to 8 as in EXIF, wherever the format keeps it. ``corrected`` is a width and height, before the
    orientation, that browsers take in place of the canvas: by the EXIF resolution of a JPEG, or the clean aperture of an AVIF.
    ``in_firefox`` is the natural size in Firefox and the orientation that it follows, where either is another than in Chromium,
    and (0, 0, 1) where Firefox shows nothing of it.
    ``notes`` are sentences about parts of the file that are broken, and that no browser needs to show it whole.
    """

    format: str
    width: int
    height: int
    decoded: bool = False
    frames: int | None = None
    mode: str | None = None
    alpha: bool | None = None
    icc: bool | None = None
    orientation: int | None = None
    has_gps: bool | None = None
    corrected: tuple[int, int] | None = None
    in_firefox: tuple[int, int, int] | None = None
    notes: tuple[str, ...] = ()

    @property
    def content_type(self) -> str:
        """The media type of the bytes."""
        return f"image/{self.format}"

    @property
    def on_its_side(self) -> bool:
        """Whether the orientation makes the stored width the height that is shown."""
        return self.orientation in (5, 6, 7, 8)

    @property
    def natural(self) -> tuple[int, int]:
        """Width and height that a browser says the image has (HTML, density-corrected natural size), in CSS pixels at 1x."""
        return self._shown(self.corrected or (self.width, self.height))

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height of the pixels, the way up that browsers show them."""
        return self._shown((self.width, self.height))

    def _shown(self, size: tuple[int, int]) -> tuple[int, int]:
        return (size[1], size[0]) if self.on_its_side else size


@dataclass(frozen=True, slots=True)
class OpaqueFacts:
    """What is known of a file that is kept as it came and not looked into: that it is an SVG drawing (``--keep-svg``).

    A drawing has no pixels, and reading its size means reading the drawing.
    """

    format: str = field(default="svg", init=False)
    width: None = field(default=None, init=False)
    height: None = field(default=None, init=False)
    natural: None = field(default=None, init=False)

    @property
    def content_type(self) -> str:
        """The media type of the bytes."""
        return "image/svg+xml"


Facts = ImageFacts | OpaqueFacts
"""What is known of bytes that may be stored."""


@dataclass(frozen=True, slots=True)
class SourceBytes:
    """What came from the origin, where what is stored was made from it (``--strip-metadata``). ``size`` in bytes."""

    sha256: str
    size: int
    facts: Facts | None = None


SAYS_LITTLE = 3.0
"""The grey levels of `Regained.below` under which a picture says nothing of where it comes from."""
_OF_ITS_OWN = 0.4
"""The share of `Regained.below` from which on a picture was not enlarged, whatever its curve of detail looks like."""
LOOK_SIDE = 32
"""Pixels a side of `Look.colours`."""


@dataclass(frozen=True, slots=True)
class Regained:
    """How well a picture is reproduced from itself shrunk to ``width`` pixels, as root mean squares in grey levels.

    ``below`` is the detail that a picture of ``width`` can just hold; ``soft`` and ``blocks`` are what is lost beyond it when
    the shrunk picture is enlarged again with a smooth filter, and by repeating pixels. ``drawn`` says that it has few grey levels.
    Where ``below`` is under `SAYS_LITTLE`, ``soft`` may be too large, and ``blocks`` is ``below``.
    """

    width: int
    below: float
    soft: float
    blocks: float
    drawn: bool = False

    @property
    def has_more(self) -> bool:
        """Whether the picture surely has detail that one of ``width`` can't hold, were it a bit soft."""
        return self.soft > _OF_ITS_OWN * self.below


@dataclass(frozen=True, slots=True)
class Look:
    """What one decode saw of a picture (its first frame, upright) besides its facts: enough to compare it with others.

    ``colours`` is the picture on white, squeezed into a square of `LOOK_SIDE` pixels a side: RGB bytes, row by row.
    ``opacity`` is how opaque each of those is, from 0 to 255; empty for a picture that lets nothing through.
    ``detail`` tells how fine its structure is: pairs of a scale (below 1, descending) and the root mean square, in grey
    levels, of what its most detailed part loses when it is shrunk to that scale and enlarged again; empty for small pictures, and
    where ``regained`` has answered already what the curve is for.
    ``thumbnail`` is a JPEG, or a WebP where it is transparent, with a long side of at most 320 pixels. ``personal`` names EXIF
    entries that tell of a person or a device. ``profile`` is the description of an embedded colour profile, and ``wide`` says
    whether it has more colours than sRGB and the picture needs them (``used``, ``unused``; None for no wide profile).
    ``estimates`` are the sizes in bytes of the same picture by format at quality 80, where they were asked for.
    """

    colours: bytes = field(repr=False)
    detail: tuple[tuple[float, float], ...] = ()
    thumbnail: bytes = field(default=b"", repr=False)
    personal: tuple[str, ...] = ()
    profile: str | None = None
    wide: str | None = None
    estimates: tuple[tuple[str, int], ...] = ()
    regained: tuple[Regained, ...] = ()
    """Measured for the widths of its siblings that were asked for; for 0.72 of its own width where none was."""
    opacity: bytes = field(default=b"", repr=False)
    texture: tuple[tuple[int, float, float], ...] = ()
    """Of the picture at 160 and at 80 pixels along its longer side, as far as it is so large: that side, and in grey levels the mean
    step from one pixel to the next, and the root mean square of what a third of its sides can't hold."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fired: where, and the two values that disagree."""

    rule: str
    severity: Severity
    message: str
    url: str
    reference: Reference | None = None
    declared: str | None = None
    actual: str | None = None


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A finding that somebody switched off, the reason given, and where that is written: in the page, or in a config file."""

    finding: Finding
    reason: str
    where: str
    in_source: bool
    of_set: bool = True
    """False for a problem of a document, which stands in no `SetResult`."""


class Held(NamedTuple):
    """An object of a store in one state, as it was when it was listed, read or written: what its size and change token show.

    ``size`` in bytes. ``sha256`` is that of its bytes, where it is known. ``token`` is None where the store gives none. ``twin``
    names the object, and its state, that this one is the server's own copy of.
    """

    key: str
    sha256: str | None
    size: int
    token: str | None = None
    twin: str | None = None

    @property
    def row(self) -> StoredObject:
        """The object as it was listed."""
        return StoredObject(self.key, self.size, token=self.token)

    def state(self, place: str) -> str | None:
        """Name the object of a place in this state; None where the store gives no change token."""
        return f"{place}/{self.key}#{self.size}#{self.token}" if self.token else None

    def knowing(self, sha256: str | None) -> Held:
        """Return it with its hash."""
        return self._replace(sha256=sha256)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store confirmed it.

    ``sha256`` is the metadata recorded at PUT (None when the object has none); ``token`` is the store's opaque change
    token (an ETag, or size and mtime), never a hash. ``modified`` is aware, in UTC.
    """

    key: str
    size: int
    sha256: str | None = None
    content_type: str | None = None
    token: str | None = None
    modified: datetime | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers that the object is served with (Cache-Control and its like), names in lower case."""

    def held(self, sha256: str | None, twin: str | None = None) -> Held | None:
        """Return what may be recorded of it; None where the store gives no change token, which would vouch for it."""
        return Held(self.key, sha256, self.size, self.token, twin) if self.token else None


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why one item failed or was rejected: a stable code and a sentence for people.

    ``http_status`` is that of the answer, where the origin answered and that was the reason.
    """

    code: str
    message: str
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a variant. A rejected image is an Outcome, never an exception.

    ``facts``, ``size`` and ``sha256`` are of what is stored, where something is; ``source`` is what came from the origin, where
    that was stripped before it was stored (or would have been, had there been anything to strip), else None.
    """

    variant: Variant
    status: Status
    final_url: str | None = None
    key: str | None = None
    facts: Facts | None = None
    size: int | None = None
    sha256: str | None = None
    findings: tuple[Finding, ...] = ()
    error: ItemError | None = None
    download: Download | None = field(default=None, repr=False)
    fetched_bytes: int = 0
    """Body bytes that crossed the network for this variant."""
    sent_bytes: int = 0
    """Bytes handed to the store."""
    source: SourceBytes | None = None


@dataclass(frozen=True, slots=True)
class SetRow:
    """One candidate of a set beside what became of its variant in a run.

    Widths and heights are pixels, ``size`` is bytes. ``error`` is the reason of a failed or rejected one. ``thumbnail`` is a
    small WebP from our own decode (long side at most 320 pixels), or None where nothing was decoded or nobody asked.
    """

    url: str
    carrier: str = "img"
    attribute: str | None = None
    declared_width: int | None = None
    density: float | None = None
    media: str | None = None
    mime: str | None = None
    status: Status | None = None
    key: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    size: int | None = None
    findings: tuple[Finding, ...] = ()
    error: ItemError | None = None
    aside: str = ""
    """In a few words, why it was not looked at, where that is as it should be."""
    thumbnail: bytes | None = field(default=None, repr=False)
    address: str | None = None
    """Where a rewritten page points for it."""


@dataclass(frozen=True, slots=True)
class SetResult:
    """One image set after a run: a row per candidate in document order, and the findings that concern it as a whole.

    ``places`` counts the places where the same set was found; ``document`` and ``line`` are the first.
    """

    document: str
    line: int
    rows: tuple[SetRow, ...]
    alt: str | None = None
    context: str | None = None
    inferred: bool = False
    places: int = 1
    findings: tuple[Finding, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    known: int = 0
    """Findings that a baseline lists, and that are not told."""

    @property
    def sound(self) -> bool:
        """True when no row failed, was rejected or has a finding, nor the set as a whole."""
        return not self.findings and all(r.error is None and not r.findings for r in self.rows)


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """What was done, or with ``dry_run`` would be done, to one object, and the named reason."""

    op: str
    key: str
    reason: str
    size: int | None = None
    dry_run: bool = False
    url: str | None = None
    error: ItemError | None = None
    """Why it could not be done."""


class Mark(StrEnum):
    """What `check` says of one key, in rclone's signs."""

    SAME = "="
    NOT_IN_SRC = "-"
    NOT_IN_DEST = "+"
    DIFFERS = "*"
    ERROR = "!"


@dataclass(frozen=True, slots=True)
class Compared:
    """One key of two places compared; ``size`` in bytes, at the source where it is there."""

    mark: Mark
    key: str
    reason: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """Both places are listed: how many objects were seen, and how many objects and bytes have to be looked at or moved."""

    seen: int
    objects: int
    bytes: int
    deletions: int = 0


@dataclass(frozen=True, slots=True)
class SyncSummary:
    """The end of a sync or check. ``statuses`` counts objects by what became of them; bytes are those read and written."""

    source: str
    destination: str
    statuses: dict[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    left: int = 0
    """Objects not reached because the run was interrupted."""
    dry_run: bool = False
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """The inputs are read: how many sets and variants there are, and how many of them are wanted."""

    documents: int
    sets: int
    variants: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run. ``statuses`` counts variants; bytes are body bytes in from origins and out to the store."""

    documents: int = 0
    sets: int = 0
    variants: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    problems: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_saved: int = 0
    """Bytes that a header check did not have to fetch."""
    bytes_unchanged: int = 0
    """Bytes among ``bytes_in`` of files that are stored already: their origins did not say that nothing has changed."""
    known: int = 0
    """Findings that a baseline lists, and that count for nothing."""
    suppressed: int = 0
    """Findings that are switched off in a page or in ``mediamirror.toml``, with a reason."""
    kinds: tuple[str, ...] = ()
    """How the documents were read: each way once, such as ``html`` or ``json in csv``."""
    seconds: float = 0.0
    left: int = 0
    """Variants not reached because the run was interrupted."""
    exit_code: int = 0
    reads_alone: bool = False
    """Whether the run keeps no state: one that was interrupted begins again."""


@dataclass(frozen=True, slots=True)
class MendSummary:
    """The end of a command that mends a catalog. ``counts`` says of how many things what became; bytes are those freed or read."""

    command: str
    destination: str
    counts: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0
    dry_run: bool = False
    exit_code: int = 0


MendEvent = ObjectEvent | Problem | MendSummary
"""What gc, rebuild and import tell their caller."""

SyncEvent = ObjectEvent | Compared | Workload | Problem | SyncSummary
"""What sync and check tell their caller: skips while listing, the workload, what was done, the summary."""

Event = ImageSet | Rendered | Problem | Planned | Outcome | Finding | Suppressed | ObjectEvent | SetResult | Summary
"""What a job tells its caller while it runs, in this order: sets and problems, the plan, outcomes or object events, the sets
with what became of them, the summary."""
