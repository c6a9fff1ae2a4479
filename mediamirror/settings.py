"""Option groups, frozen, and the only reader of the environment and of ``mediamirror.toml``.

Each group is built at the edge and handed down; its ``repr`` shows no secret. Sizes are in bytes, times in seconds.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path
from typing import Literal

from mediamirror.first_use import dataclass

MiB = 1024 * 1024

Check = Literal["decode", "header"]
FailOn = Literal["error", "warning", "never"]
Layout = Literal["path", "named", "hash"]
Engine = Literal["in-process", "processes", "ray"]


@dataclass(frozen=True, slots=True)
class Rewired:
    """One ``--connect-to HOST:PORT:HOST2:PORT2``: dial HOST2:PORT2 where HOST:PORT is meant.

    As in curl, an empty HOST or PORT matches any, and an empty HOST2 or PORT2 keeps the original.
    TLS server name and Host header stay those of the URL.
    """

    host: str
    port: int | None
    to_host: str
    to_port: int | None


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """How to ask origins for bytes."""

    concurrency: int = 64
    """Requests under way at once, over all hosts."""
    host_concurrency: int = 6
    """Requests under way at once to one host."""
    delay: float = 0.0
    """Seconds between the starts of two requests to one host."""
    retries: int = 4
    """Retries after the first try: with one request in five failing, 4 leave 0.03% of the items undone, 3 leave 0.16%."""
    timeout: float = 60.0
    """Seconds for one request and its whole body, with redirects but without retries."""
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    min_rate: int = 1024
    """Bytes a second, measured over ``min_rate_window``: slower downloads are given up. 0 accepts any rate."""
    min_rate_window: float = 30.0
    max_size: int = 256 * MiB
    """Largest body accepted."""
    max_header_size: int = 64 * 1024
    """Refuse an answer with more bytes of headers."""
    max_redirects: int = 10
    spool_over: int = 1 * MiB
    """Bodies larger than this go to a temporary file instead of memory."""
    limit_rate: int | None = None
    """Bytes a second over all downloads together, or None."""
    retry_after_cap: float = 120.0
    """Seconds: a longer Retry-After is not waited for, and the item fails for now."""
    user_agent: str | None = None
    contact: str | None = None
    """How a site's owner reaches the person who runs this: an address or a page, sent in the User-Agent."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    credentials_for: tuple[str, ...] = ()
    """Hosts, besides those of the INPUTs, that may see ``Authorization``, ``Cookie`` and their like."""
    connect_to: tuple[Rewired, ...] = ()
    cacert: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    robots: bool = True
    respect_x_robots_tag: bool = False
    """Whether to refuse images whose X-Robots-Tag forbids indexing them or using them for AI."""
    allow_private: bool = False
    allow_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How to look at the bytes, and how strict to be."""

    check: Check = "decode"
    tolerance: str = "1px"
    """``Npx`` or ``N%``: how far a real width may be from the declared one."""
    keep_rejected: bool = False
    keep_svg: bool = False
    """Whether `mirror` keeps SVG drawings, which are not looked into."""
    workers: int | None = None
    """Decoder processes; None means one per core."""
    sandbox: bool = True
    """Whether decoder processes may only make the system calls that decoding needs, where the platform can hold them to it."""
    max_pixels: int = 50_000_000
    """Largest canvas, in pixels."""
    max_frames: int = 1000
    max_total_pixels: int = 250_000_000
    """Frames times canvas."""
    max_decode_memory: int = 160 * 1024**2
    """Bytes that decoding one image may take, by its header, and all images at once where there are few workers."""


@dataclass(frozen=True, slots=True)
class SelectOptions:
    """Which variants of a set are wanted."""

    rungs: str = "all"
    """``all``, ``largest``, or widths such as ``480,1280``."""
    min_width: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    fresh_for: float = 0.0
    """Seconds for which a variant that was checked is not fetched again."""
    refetch: bool = False
    """Ask for every file anew, whatever is known of it."""
    retry_failed: bool = False
    """Fetch only what failed the last time: of the INPUTs, or without INPUT of the whole catalog."""


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How to write objects. The S3 fields change nothing for a directory."""

    layout: Layout = "path"
    true_endings: bool = False
    """Whether keys that are made of a URL end as the bytes are, whatever the URL says."""
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    no_sign_request: bool = False
    acl: str | None = None
    cache_control: str | None = None
    storage_class: str | None = None
    create_bucket: bool = False
    """Whether to create a bucket that does not exist."""
    atomic_sets: bool = True
    """Whether `mirror` records complete image sets in a bucket's manifest, each after its last variant."""
    metadata: tuple[tuple[str, str], ...] = ()
    strip_metadata: bool = False
    """Whether `mirror` drops EXIF, XMP, IPTC and comments of WebP, JPEG and PNG before it stores them."""
    cacert: Path | None = None
    multipart_over: int = 16 * MiB
    part_size: int = 8 * MiB
    retries: int = 4
    timeout: float = 60.0


MAX_DOCUMENT_MEMORY = 224 * MiB
"""Bytes that reading one document may take, unless told."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read the INPUTs."""

    as_: str = "auto"
    base_url: str | None = None
    max_document: int = 256 * MiB
    """Bytes of the largest document read, after decompression."""
    max_document_memory: int = MAX_DOCUMENT_MEMORY
    """Bytes that reading one document may take; a small one is read as it is."""
    max_documents: int = 10_000_000
    """Documents read in one run, at most."""
    max_sets: int = 1_000_000
    """Image sets taken from one document, at most."""
    max_candidates: int = 1000
    """Candidates taken from one image set, at most."""
    field: str | None = None
    """Which field of a row (JSON Lines, CSV, Parquet) is the document; None means the usual names."""
    links: bool = False
    """Whether a link to an image file counts as an image."""
    offline: bool = False
    """Whether images come from the archives among the inputs alone."""
    all_images: bool = False
    """Whether every picture of the archives among the inputs is taken, named by a page or not."""
    keep_data: bool = False
    """Whether the pictures that documents hold as ``data:`` URLs are taken as images."""
    check_hashes: bool = False
    """Whether the files of a WACZ among the inputs are compared with the hashes in its list."""
    follow_sitemap: bool = False
    """Whether the pages in the sitemaps of the INPUTs' sites are read too."""
    depth: int = 0
    """How many levels of links are followed from the INPUTs that are URLs, and from the pages of their sitemaps."""
    same_host: bool = True
    """Whether only pages of the INPUTs' own hosts are followed."""
    max_pages: int = 1000
    """Most pages asked for when pages are followed, the INPUTs among them."""


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How a job behaves as a whole."""

    dry_run: bool = False
    fail_on: FailOn = "error"
    fail_empty: bool = False
    tell_found: bool = True
    """Whether a `mirror` emits each image set as it is found; else it emits those with problems, and how many others there are."""
    tell_sets: bool = True
    """Whether each set is emitted with its outcomes at the end, for tables; in JSON the outcomes say it all."""
    max_time: float | None = None
    """Seconds after which a `mirror` ends as if it were interrupted, its state saved; None: when it is done."""
    command: str = "mirror"
    """What the catalog and the locks record as the command; must hold no secret."""


def state_folder() -> Path:
    """Return the folder for catalogs and locks: the user's state folder (``XDG_STATE_HOME`` or its like)."""
    from platformdirs import user_state_path  # noqa: PLC0415 -- start-up time

    return user_state_path("mediamirror", appauthor=False)


def default_catalog(identity: str) -> Path:
    """Return the catalog of a DEST: one file per DEST in the state folder, its name readable and unique."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", identity).strip("-")[-40:].strip("-")
    from hashlib import sha256  # noqa: PLC0415 -- start-up time

    digest = sha256(identity.encode()).hexdigest()[:12]
    return state_folder() / "catalogs" / f"{readable}-{digest}.sqlite"


CONFIG_NAME = "mediamirror.toml"
ENV_PREFIX = "MEDIAMIRROR_"


def find_config(start: Path) -> tuple[Path | None, tuple[Path, ...]]:
    """Return the nearest ``mediamirror.toml`` of our own in ``start`` or a folder above it, and those passed on the way.

    As git has it, what another user has put there is not obeyed: it could name a proxy, or open private addresses.
    """
    passed: list[Path] = []
    for folder in (start, *start.parents):
        path = folder / CONFIG_NAME
        if path.is_file():
            if _is_ours(path.lstat()) and _is_ours(path.stat()):
                return path, tuple(passed)
            passed.append(path)
    return None, tuple(passed)


def _is_ours(found: os.stat_result) -> bool:
    """Whether a file is ours or root's, who may do anything anyway; under sudo, also that user's who called it."""
    caller = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    return found.st_uid in {0, os.geteuid()} or str(found.st_uid) == caller


def read_config(path: Path, *, ours: bool = False) -> dict[str, object]:
    """Read a ``mediamirror.toml``; with ``ours``, only one of our own. Raises `ValueError` or `OSError`, whose text says where."""
    import tomllib  # noqa: PLC0415 -- start-up time

    with path.open("rb") as file:
        # Looked at once more where it is open: another user's folder can be changed at any time.
        if ours and not _is_ours(os.fstat(file.fileno())):
            raise PermissionError(errno.EPERM, "it belongs to another user", str(path))
        return tomllib.load(file)


def environment_options() -> dict[str, str]:
    """Return what ``MEDIAMIRROR_*`` variables set, by option name: ``MEDIAMIRROR_HOST_CONCURRENCY`` is host_concurrency."""
    return {
        name.removeprefix(ENV_PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(ENV_PREFIX)
    }


def inherited_endpoint() -> str | None:
    """Return the S3 server that the AWS tools would take from the environment, or None."""
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def inherited_environment(names: Iterable[str] | None) -> dict[str, str]:
    """Return those of the named variables that are set: what a child process is given of our environment, and no more.

    None means all of them: for a process that does what we would do ourselves, with the same credentials.
    """
    return {name: os.environ[name] for name in (os.environ if names is None else names) if name in os.environ}


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """Every option group of the parse job."""

    read: ReadOptions = field(default_factory=ReadOptions)
    fetch: FetchOptions = field(default_factory=FetchOptions)
    job: JobOptions = field(default_factory=JobOptions)
    explain: bool = False
    """Whether each set says how its document was read, and from which container."""
    workers: int = 1
    """Processes that read documents; 1: this one alone. Documents over 1 MiB are read one after another."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Who does the work of a run: this process, or ``workers`` others that share it (None: one per core, here or in a cluster).

    ``ray_address`` is that of a Ray cluster, or ``auto``; None starts one of this machine's own.
    """

    engine: Engine = "in-process"
    workers: int | None = None
    ray_address: str | None = None


@dataclass(frozen=True, slots=True)
class MirrorOptions:
    """Every option group of the mirror job."""

    read: ReadOptions = field(default_factory=ReadOptions)
    fetch: FetchOptions = field(default_factory=FetchOptions)
    check: CheckOptions = field(default_factory=CheckOptions)
    select: SelectOptions = field(default_factory=SelectOptions)
    store: StoreOptions = field(default_factory=StoreOptions)
    job: JobOptions = field(default_factory=JobOptions)
    engine: EngineOptions = field(default_factory=EngineOptions)


@dataclass(frozen=True, slots=True)
class PerPath:
    """One ``[[verify.per-path]]`` of a config file: rules that do not count for some pages or files, and why.

    ``path`` is a glob of documents, ``image`` one of files; at least one is given. ``config`` is the file it stands in.
    """

    ignore: tuple[str, ...]
    reason: str
    config: Path
    path: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Every option group of the verify job.

    ``select`` and ``ignore`` are rule codes, names or beginnings of codes; ``ladder`` is widths in pixels such as
    ``480,768,1280``. ``root`` is the folder of a built site whose own URLs are read from its files.
    """

    read: ReadOptions = field(default_factory=ReadOptions)
    fetch: FetchOptions = field(default_factory=FetchOptions)
    check: CheckOptions = field(default_factory=CheckOptions)
    job: JobOptions = field(default_factory=JobOptions)
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    ladder: str = ""
    estimate: bool = False
    root: Path | None = None
    baseline: Path | None = None
    write_baseline: Path | None = None
    per_path: tuple[PerPath, ...] = ()
    thumbnails: bool = False
    browser: str = "common"
    """Whom to follow where browsers differ: ``common``, ``chromium``, ``firefox`` or ``safari``."""


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """How two places are compared, key by key."""

    checksum: bool = False
    """Hash the source's bytes again, whatever is recorded of them."""
    size_only: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    download: bool = False
    """Read the bytes of both sides (``check``)."""
    attributes: bool = False
    """Compare content type, metadata and headers too: one HEAD request per object."""
    one_way: bool = False
    """Don't count keys that only the destination has as differences (``check``)."""


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How to make one place hold what another holds. ``source`` is how to reach SRC; None: the same way as DEST."""

    compare: CompareOptions = field(default_factory=CompareOptions)
    store: StoreOptions = field(default_factory=StoreOptions)
    source: StoreOptions | None = None
    ignore_existing: bool = False
    delete: bool = False
    max_delete: int | None = None
    """Delete nothing if more objects than this would be deleted."""
    force: bool = False
    """Allow deleting everything that the destination holds."""
    concurrency: int = 64
    limit_memory: int = 1 * MiB
    """Objects larger than this are not held in memory on their way."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ScrubOptions:
    """How to re-read a mirror. ``sample`` is the share of objects read, 1.0 for all; ``seed`` makes a sample repeatable.

    ``source`` is how to ask the origins whether they still give out the same; None asks nobody.
    Objects without a record make the run fail unless ``allow_unrecorded``; what ``check`` says is how images are looked at whose
    bytes were never decoded. With ``repair`` what is damaged or missing is put back: from ``second`` (a directory or bucket with
    the same keys) where it is given, else from where it was fetched. ``restart`` forgets where an interrupted run had come to.
    """

    store: StoreOptions = field(default_factory=StoreOptions)
    job: JobOptions = field(default_factory=JobOptions)
    concurrency: int = 16
    check: CheckOptions = field(default_factory=CheckOptions)
    allow_unrecorded: bool = False
    sample: float = 1.0
    seed: int | None = None
    source: FetchOptions | None = None
    limit_rate: int | None = None
    """Bytes a second that are read from the mirror, or None."""
    restart: bool = False
    repair: bool = False
    second: str | None = None
    second_store: StoreOptions | None = None
    """How to reach ``second``; None: the same way as the mirror."""
    fetch: FetchOptions = field(default_factory=FetchOptions)
    dry_run: bool = False
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_path: tuple[PerPath, ...] = ()


@dataclass(frozen=True, slots=True)
class GcOptions:
    """What ``catalog gc`` may do. Nothing younger than ``older_than`` seconds is removed from the store."""

    store: StoreOptions = field(default_factory=StoreOptions)
    delete: bool = False
    """Remove objects that no row names."""
    unreferenced: bool = False
    """List what no document names any more, and with ``delete`` remove it."""
    unread_for: float | None = None
    """The same, and seconds after which a document that no run has read names nothing any more; None: it always counts."""
    max_delete: int | None = None
    force: bool = False
    older_than: float = 86_400.0
    keep_runs: int | None = None
    """Runs whose history the catalog keeps; None: all."""
    concurrency: int = 16
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class AdoptOptions:
    """How ``catalog rebuild`` and ``catalog import`` learn what lies in a store."""

    store: StoreOptions = field(default_factory=StoreOptions)
    force: bool = False
    """Rebuild a catalog that is sound, too."""
    base_url: str | None = None
    """The URL that keys hang under, where they are paths of one site."""
    concurrency: int = 16


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """How to show what was mirrored. Without ``thumbnails`` the catalog alone is read, and no object."""

    store: StoreOptions = field(default_factory=StoreOptions)
    check: CheckOptions = field(default_factory=CheckOptions)
    concurrency: int = 16
    thumbnails: bool = True


@dataclass(frozen=True, slots=True)
class RewriteOptions:
    """What `rewrite` may change, and where pages point then. Of ``to``, ``in_place`` and ``undo`` one at most is given.

    ``mirror`` is the DEST whose objects are pointed at; None: the only one of the catalog. Without ``public_url`` a mirror in
    a folder is pointed at by relative paths. ``map`` is a CSV of old and new addresses, instead of a catalog.
    """

    read: ReadOptions = field(default_factory=ReadOptions)
    store: StoreOptions = field(default_factory=StoreOptions)
    to: Path | None = None
    in_place: bool = False
    undo: bool = False
    mirror: str | None = None
    public_url: str | None = None
    map: Path | None = None
    strict: bool = False
    """Whether a page stays as it is, and the run fails, when a URL of it is not in the mirror."""
    partial_sets: bool = False
    """Whether a URL may move though others of its image set can't."""
    fix: bool = False
    """Whether what the files show to be wrong in the markup is put right too: widths, ends of ladders, missing dimensions."""
    workers: int | None = None
    """Processes that read pages; None: one per core where there are more than 24 MiB of pages."""
    dry_run: bool = False
