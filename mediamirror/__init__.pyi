"""What a type checker sees of the package: each promised name with its type, and nothing else."""

from mediamirror.errors import (
    CatalogError as CatalogError,
    FetchError as FetchError,
    ImageError as ImageError,
    MediamirrorError as MediamirrorError,
    StoreError as StoreError,
    UsageError as UsageError,
)
from mediamirror.fetch.open import open_fetcher as open_fetcher
from mediamirror.fetch.request import Fetcher as Fetcher, Request as Request
from mediamirror.jobs.mirror.job import mirror as mirror
from mediamirror.jobs.parse import parse as parse
from mediamirror.jobs.run.events import events as events
from mediamirror.jobs.scrub.job import scrub as scrub
from mediamirror.jobs.sync.check import check as check
from mediamirror.jobs.sync.job import sync as sync
from mediamirror.jobs.verify.job import verify as verify
from mediamirror.markup.extract import extract as extract, extract_document as extract_document
from mediamirror.markup.standard.select import select as select
from mediamirror.markup.standard.sizes import evaluate_sizes as evaluate_sizes
from mediamirror.markup.standard.srcset import parse_srcset as parse_srcset
from mediamirror.model import (
    Body as Body,
    Candidate as Candidate,
    Compared as Compared,
    Download as Download,
    Event as Event,
    Extraction as Extraction,
    Finding as Finding,
    ImageFacts as ImageFacts,
    ImageSet as ImageSet,
    ItemError as ItemError,
    Mark as Mark,
    ObjectEvent as ObjectEvent,
    Outcome as Outcome,
    ParsedSrcset as ParsedSrcset,
    Planned as Planned,
    Problem as Problem,
    Reference as Reference,
    SetResult as SetResult,
    SetRow as SetRow,
    Severity as Severity,
    Source as Source,
    Status as Status,
    StoredObject as StoredObject,
    Summary as Summary,
    Suppressed as Suppressed,
    SyncEvent as SyncEvent,
    SyncSummary as SyncSummary,
    Variant as Variant,
    Workload as Workload,
)
from mediamirror.settings import (
    CheckOptions as CheckOptions,
    CompareOptions as CompareOptions,
    FetchOptions as FetchOptions,
    JobOptions as JobOptions,
    MirrorOptions as MirrorOptions,
    ParseOptions as ParseOptions,
    ReadOptions as ReadOptions,
    ScrubOptions as ScrubOptions,
    SelectOptions as SelectOptions,
    StoreOptions as StoreOptions,
    SyncOptions as SyncOptions,
    VerifyOptions as VerifyOptions,
)
from mediamirror.store.base import ObjectAttributes as ObjectAttributes, Store as Store
from mediamirror.store.memory import MemoryStore as MemoryStore

__version__: str
__all__: list[str]
