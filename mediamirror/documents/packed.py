"""ZIP and tar files, read as folders: the documents in them, each named ``FILE/MEMBER``. Nothing is unpacked to the disk.

What is no document is passed over, as in a folder; a member that is a container of rows is taken apart. A page whose own address is
not known has that of its member, so that pictures beside it are those that it names. An archive within an archive, an encrypted
member, a name that leads out of the folder, and a bomb are one problem each, and the rest is read.
"""

from __future__ import annotations

import io
import posixpath
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import IO, Any, BinaryIO, cast

from mediamirror.documents.carried import Carried, Samples
from mediamirror.documents.compressed import BOMB_RATIO, BOMB_SIZE, STEP, Undecodable
from mediamirror.documents.document import HELD, Document, is_binary, kept
from mediamirror.documents.plan import url_below
from mediamirror.documents.rows import Stream, inflated
from mediamirror.first_use import replace
from mediamirror.markup.extract import KINDS, PAGES, choose_kind, is_document, known_extensions
from mediamirror.markup.naming import has_image_extension
from mediamirror.model import Problem

MAX_MEMBERS = 1_000_000
MAX_HEADER = 1024 * 1024
"""Longest name or other extended header of a tar file, in bytes."""
MAX_LIST = 16 * 1024 * 1024
"""Longest list of the members of a ZIP file, in bytes: it is read at once, and 170,000 members or more fill it."""
MAX_TOLD = 100
_MOST_LINKS = 40
"""Links that lead to each other and are followed, as Linux does."""
_LONGEST_LINK = 4096
_LOOKED_AT = 64 * 1024
_ROWS = frozenset({"jsonl", "csv", "tsv"})
_PACKED = (b"PK\3\4", b"\x1f\x8b", b"(\xb5/\xfd")
"""What ZIP, gzip and zstd files begin with: pages or a web archive may be in them."""
_OF_A_SITE = frozenset({*PAGES, "css"})
_NAMES_FILES = frozenset({*_OF_A_SITE, "markdown", "notebook"})
_OF_FILES = (".opf", ".kml")
"""The XML that names the files beside it by where it stands itself, as pages do: that of EPUB and KMZ."""
DAMAGE = (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, ValueError)
DAMAGED = "is damaged, or packed in a way that is not read"
Item = Document | Problem


class Members:
    """The members of one archive: how many are documents, and what was wrong with others, of which the first are told each."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.documents = self._wrong = 0

    def bad(self, member: str, why: str) -> Iterator[Problem]:
        """Count a member that is left out, and tell of it while there are few."""
        self._wrong += 1
        if self._wrong <= MAX_TOLD:
            told = "".join(c if c.isprintable() else "\ufffd" for c in member[:200])
            yield Problem("member-left-out", f"{self.name}/{told} {why}: it is left out.", document=self.name)

    def is_safe(self, name: str) -> Any:
        """Whether a member is to be looked at: hidden files are left, as in a folder, and names that lead out of it are told."""
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or name.startswith(("/", "\\")) or "\0" in name or ":" in parts[0]:
            yield from self.bad(name, "leads out of the folder that it stands in")
            return False
        return not any(part.startswith(".") and part != "." for part in parts) and parts[0] != "__MACOSX"

    def untold(self) -> Iterator[Problem]:
        """Tell of those that were only counted."""
        if self._wrong > MAX_TOLD:
            message = f"{self.name}: {self._wrong - MAX_TOLD:,} more members are left out."
            yield Problem("member-left-out", message, document=self.name)


class _Folder(Members):
    """One archive under way."""

    def __init__(self, container: Any, read_within: Callable[[str], Any], *, holds_pictures: bool = True) -> None:
        super().__init__(container.name)
        self.container = container
        self.read_within = read_within
        self._carried = Carried(self.name, container.archive, container.limit)
        # What an archive was downloaded from is no address of the pages in it.
        self._is_placed = container.base_url not in {None, container.name} or not holds_pictures
        self._samples = Samples(self.name, self._carried, are_named=not self._is_placed)
        self._others = self._packed = 0

    def member(self, name: str, size: int, opened: IO[bytes]) -> Iterator[Item]:
        """What is in one member of ``size`` bytes. A picture is only read where somebody looks it up."""
        if self._samples.is_new(name):
            yield from self.let_go()
        if size and self._samples.takes_picture(name):
            if not self._samples.take(name, _rest(b"", opened)):
                yield from self.bad(name, f"is over the limit of {self.container.limit:,} bytes")
            return
        head = opened.read(min(size, HELD))
        if head and self._samples.takes_beside(name, head, is_whole=len(head) < _LOOKED_AT):
            self._samples.take(name, (head,))
        else:
            yield from self._document(name, head, opened)

    def link(self, name: str) -> Iterator[Item]:
        """Take note of a link, whose bytes come at the end: a picture is one of its sample nevertheless."""
        if self._samples.is_new(name):
            yield from self.let_go()
        self._samples.take_link(name)

    def linked(self, names: list[str], opened: IO[bytes]) -> Iterator[Item]:
        """Read what several links lead to."""
        data = kept(_rest(b"", opened), self.container.limit)
        for name in names:
            if data is None:
                yield from self.bad(name, f"is over the limit of {self.container.limit:,} bytes")
            elif self._samples.tells_of_pictures(name):
                yield from self.bad(name, "is a link to the metadata of another image")
            elif not self._samples.fill(name, [data] if isinstance(data, bytes) else data.chunks()):
                whole = io.BufferedReader(Stream(iter([data]) if isinstance(data, bytes) else data.chunks()))
                yield from self._document(name, whole.read(HELD), whole)

    def let_go(self) -> Iterator[Item]:
        """End the sample that is under way."""
        for name, data in self._samples.end():
            yield from self._document(name, data, io.BytesIO())

    def _document(self, name: str, head: bytes, whole: IO[bytes]) -> Iterator[Item]:
        is_known = name.lower().endswith(_EXTENSIONS)
        start = head[:_LOOKED_AT]
        if not head or not (is_known or (not is_binary(start) and is_document(start))):
            self._others += 1
            self._packed += head.startswith(_PACKED)
            return
        inner = f"{self.name}/{name}"
        kind = choose_kind(start, media_type=None, document=inner)
        if KINDS[kind].is_container and kind not in _ROWS:
            yield from self.bad(name, f"is {kind} within another container")
            return
        if is_binary(start):
            yield from self.bad(name, "is not text but binary data")
            return
        pieces = _rest(head, whole)
        self.documents += 1
        if kind in _ROWS:
            rows = replace(self.container, name=inner, path=None, file=io.BufferedReader(Stream(pieces)))
            yield from self.read_within(kind)(rows)
            return
        if kind in _OF_A_SITE and not self._samples.of_a_site:
            for beside, text in self._samples.turn_to_a_site():
                yield from self._document(beside, text, io.BytesIO())
        data = kept(pieces, self.container.limit)
        if data is None:
            yield from self.bad(name, f"is over the limit of {self.container.limit:,} bytes")
        else:
            yield Document(inner, data, None, self._base(name, kind), kind)

    def _base(self, name: str, kind: str) -> str | None:
        """The address of a document: below that of the archive if one was given, else where its pictures are kept."""
        if not self._is_placed and (kind in _NAMES_FILES or name.lower().endswith(_OF_FILES)):
            return self._carried.address(name)
        return url_below(self.container.base_url, name)

    def end(self) -> Iterator[Item]:
        """What is to be said at the end."""
        yield from self.let_go()
        yield from self._samples.documents()
        yield from self.untold()
        if not self.documents and not self._samples.pictures:
            files = self._others + self._wrong
            packed = f", {self._packed:,} of them packed as ZIP, gzip or zstd: unpack it first" if self._packed else ""
            message = (
                f"{self.name} holds no document and no picture, by extension or content, among {files:,} files{packed}."
            )
            yield Problem("no-documents", message, document=self.name)
        elif self._packed:
            packed = "1 file" if self._packed == 1 else f"{self._packed:,} files"
            message = f"{self.name}: passed over {packed} in it, packed as ZIP, gzip or zstd: unpack the archive to have them read."
            yield Problem("passed-over", message, document=self.name)


def read_zip(
    file: IO[bytes],
    container: Any,
    read_within: Callable[[str], Any],
    read_wacz: Callable[[zipfile.ZipFile | None, Any], Iterator[Item]],
) -> Iterator[Item]:
    """Yield the documents of a ZIP file that can be sought in, in its own order. Raises `OSError`.

    ``read_within`` reads a container in it, ``read_wacz`` the file itself where it is a web archive, without its list where
    that is damaged.
    """
    try:
        with zipfile.ZipFile(Bounded(file)) as packed:
            members = packed.infolist()
            holds_pictures = any(has_image_extension(member.filename) for member in members)
            folder = _Folder(container, read_within, holds_pictures=holds_pictures)
            # 65,535: the number stands in another record, that of ZIP64.
            if (said := _said(file)) not in {None, 65_535} and (len(members) - said) % 65_536:
                message = f"{container.name}: its list has {len(members):,} members, and says that it has {said:,}: it is damaged."
                yield Problem("document-damaged", message, document=container.name)
            if is_wacz(container.name, (member.filename for member in members)):
                yield from read_wacz(packed, container)
                return
            yield from (beside := _Beside(packed, folder)).hars()
            for member in members[:MAX_MEMBERS]:
                if (
                    member.is_dir()
                    or (_is_link(member) and not _is_looked_for(member.filename))
                    or member.filename in beside.taken
                    or not (yield from folder.is_safe(member.filename))
                ):
                    continue
                if (why := barred(member)) is not None:
                    yield from folder.bad(member.filename, why)
                else:
                    try:
                        source = _linked_in(packed, member)
                        with packed.open(source) as opened:
                            yield from folder.member(member.filename, source.file_size, opened)
                    except KeyError:
                        yield from folder.bad(
                            member.filename, "is a link to what is not in the archive, or can't be read"
                        )
                    except DAMAGE:
                        yield from folder.bad(member.filename, DAMAGED)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        message = f"{container.name} can't be read as a ZIP file ({str(error)[:100]})."
        yield Problem("document-damaged", message, document=container.name)
        if is_wacz(container.name, ()):
            yield from read_wacz(None, container)
        return
    yield from folder.end()


def _said(file: IO[bytes]) -> int | None:
    """How many members a ZIP file says it has, modulo 65,536 (APPNOTE 4.3.16): zipfile ends with an entry that is too long."""
    file.seek(max(0, file.seek(0, io.SEEK_END) - 65_557))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    return int.from_bytes(tail[at + 10 : at + 12], "little") if at >= 0 else None


def barred(member: zipfile.ZipInfo) -> str | None:
    """Why a member is not opened."""
    if member.flag_bits & 1:
        return "is encrypted"
    is_bomb = member.file_size > BOMB_SIZE and member.file_size > BOMB_RATIO * max(1, member.compress_size)
    return "inflates without end" if is_bomb else None


def _is_link(member: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(member.external_attr >> 16)


def _is_looked_for(name: str) -> bool:
    """Whether a link by this name is followed; others, those to folders among them, are left as in a folder."""
    return name.lower().endswith(_EXTENSIONS) or has_image_extension(name)


def _linked_in(packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The member that one stands for which is a symbolic link, or itself. Raises `KeyError`."""
    for _ in range(_MOST_LINKS):
        if not _is_link(member):
            return member
        with packed.open(member) as opened:
            link = opened.read(_LONGEST_LINK).decode("utf-8", "replace")
        member = packed.getinfo(_target(member.filename, link) or "")
        if barred(member) is not None:
            break
    raise KeyError(member.filename)


class _Beside:
    """The HAR files in a ZIP file, and the members that they take for their bodies."""

    def __init__(self, packed: zipfile.ZipFile, folder: _Folder) -> None:
        self._packed = packed
        self._folder = folder
        self.taken: set[str] = set()

    def hars(self) -> Iterator[Item]:
        """What is in them."""
        for member in self._packed.infolist():
            name = member.filename
            if not name.lower().endswith(".har") or not (yield from self._folder.is_safe(name)):
                continue
            self.taken.add(name)
            if (why := barred(member)) is not None:
                yield from self._folder.bad(name, why)
                continue
            self._folder.documents += 1
            attached = partial(self._attached, posixpath.dirname(name))
            try:
                with self._packed.open(member) as opened:
                    file = io.BufferedReader(cast("io.RawIOBase", opened))
                    whole = replace(
                        self._folder.container,
                        name=f"{self._folder.name}/{name}",
                        path=None,
                        file=file,
                        attached=attached,
                    )
                    yield from self._folder.read_within("har")(whole)
            except DAMAGE:
                yield from self._folder.bad(name, DAMAGED)

    def _attached(self, folder: str, name: str) -> IO[bytes] | None:
        path = posixpath.normpath(posixpath.join(folder, name))
        try:
            member = self._packed.getinfo(path)
            self.taken.add(path)
            return None if barred(member) else self._packed.open(member)
        except (KeyError, *DAMAGE):
            return None


class Bounded:
    """A file of which no more is read at once than `MAX_LIST`: of a ZIP file only its list of members is longer."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Read as a file does. Raises `ValueError` for too much at once."""
        data = b"" if size > MAX_LIST else self._file.read(size if size >= 0 else MAX_LIST + 1)
        if max(size, len(data)) > MAX_LIST:
            raise ValueError(f"its list of members is over the limit of {MAX_LIST:,} bytes")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


_OF_WACZ = ("archive/", "indexes/", "pages/")


def is_wacz(name: str, members: Iterable[str]) -> bool:
    """Say whether a ZIP file or a folder with these members is a WACZ, or holds several."""
    found = set(members)
    return name.lower().endswith(".wacz") or (
        "datapackage.json" in found
        and any(each.startswith(_OF_WACZ) or each.lower().endswith(".wacz") for each in found)
    )


class _TarInfo(tarfile.TarInfo):
    """A member whose extended headers, which are read whole, are bounded.

    tarfile takes a header that is damaged for the end, but for the first one. Here nothing ends a file but its end mark.
    """

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Any:
        """Read the next header. Raises `tarfile.ReadError` for one that is damaged, or is none."""
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            if not tarfile_.offset:
                raise
            raise tarfile.ReadError("it ends without an end mark" if "empty" in str(error) else str(error)) from None

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        extended = (
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
        )
        if self.type in extended and self.size > MAX_HEADER:
            raise tarfile.ReadError("a header is too long")
        return super()._proc_member(tar)  # type: ignore[misc]


def read_tar(file: BinaryIO, container: Any, read_within: Callable[[str], Any]) -> Iterator[Item]:
    """Yield the documents of a tar file, compressed with gzip or not, read once from its beginning to its end. Raises `OSError`.

    Links to its own members stand for these, which are read in a second reading, if it can be read twice.
    """
    folder = _Folder(container, read_within)
    links = _Links(folder)
    try:
        for member, opened in _members(file, container):
            if opened is None:
                yield from links.take(member)
            elif (yield from folder.is_safe(member.name)):
                yield from folder.member(member.name, member.size, opened)
    except (tarfile.TarError, Undecodable, EOFError, ValueError) as error:
        message = f"{container.name} is damaged ({str(error)[:100]}): what comes before was read."
        yield Problem("document-damaged", message, document=container.name)
    yield from links.read()
    yield from folder.end()


def _members(file: BinaryIO, container: Any) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """The members of a tar file, each open if it is a file."""
    plain = inflated(file)
    # What is not read is not passed over, but leapt.
    mode = "r:" if plain is file and container.path is not None else "r|"
    with tarfile.open(fileobj=plain, mode=mode, tarinfo=_TarInfo) as packed:  # type: ignore[call-overload]
        for number, member in enumerate(packed):
            packed.members = []  # or each header stays in memory
            if number < MAX_MEMBERS and (member.isreg() or member.islnk() or member.issym()):
                yield member, packed.extractfile(member) if member.isreg() else None
        if _goes_on(packed.fileobj):
            raise tarfile.ReadError("there is more data after its end marker")


def _target(name: str, link: str) -> str | None:
    """The member that a link leads to; None for one out of the archive."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
    return None if path.startswith(("/", "../")) or path == ".." else path


class _Links:
    """The links in a tar file: other names of its members. GNU tar writes one where a file has several."""

    def __init__(self, folder: _Folder) -> None:
        self._folder = folder
        self._targets: dict[str, str] = {}
        self._size = 0

    def take(self, member: tarfile.TarInfo) -> Iterator[Item]:
        """Take note of one that has the name of a document or a picture."""
        name = posixpath.normpath(member.name)
        if not _is_looked_for(name):
            return
        target = _target("" if member.islnk() else name, member.linkname)
        self._size += len(name) + len(member.linkname)
        if not (yield from self._folder.is_safe(name)):
            return
        if target is None:
            yield from self._folder.bad(name, "is a link that leads out of the archive")
        elif self._size > MAX_LIST:
            yield from self._folder.bad(name, "is a link, and too many links were followed already")
        else:
            self._targets[name] = target
            yield from self._folder.link(name)

    def read(self) -> Iterator[Item]:
        """Read what they lead to, in the archive once more."""
        links: dict[str, list[str]] = {}
        for name in self._targets:
            links.setdefault(self._end_of(name), []).append(name)
        if links:
            yield from self._folder.let_go()
        container = self._folder.container
        if links and container.path is not None:
            with suppress(tarfile.TarError, Undecodable, EOFError, ValueError), container.path.open("rb") as file:
                for member, opened in _members(file, container):
                    if opened is not None and (names := links.pop(posixpath.normpath(member.name), None)):
                        yield from self._folder.linked(names, opened)
        for name in chain.from_iterable(links.values()):
            once = ", and the archive comes through a pipe" if container.path is None else " to what is not in it"
            yield from self._folder.bad(name, f"is a link{once}")

    def _end_of(self, name: str) -> str:
        for _ in range(_MOST_LINKS):
            if name not in self._targets:
                break
            name = self._targets[name]
        return name


def _goes_on(file: Any) -> bool:
    """Whether anything but padding is left."""
    return any(chunk.strip(b"\0") for chunk in iter(lambda: file.read(STEP), b""))


_EXTENSIONS = tuple(each for each in known_extensions() if not each.endswith(".gz"))


def _rest(head: bytes, opened: IO[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    while chunk := opened.read(STEP):
        yield chunk
