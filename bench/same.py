"""Whether two builds say the same: ``python -m bench.same WORKTREE [DOCUMENT...]``.

``WORKTREE`` is a checkout of another commit with its own ``.venv``. Both builds run `parse`, `verify`, `simulate` and a dry `mirror`
over the fixtures of the tests, over texts made of them by chance (the same ones each time), over the pages and files of every known
defect, and over the documents that are named. Prints the first lines that differ, and exits 1 if there are any.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from fixtures.defects import cases
from fuzz.mutate import mutated
from fuzz.seeds import WORDS, corpus

ROOT = Path(__file__).resolve().parents[1]
_KINDS = {"prose": ".txt", "html": ".html", "css": ".css", "markdown": ".md", "json": ".json", "feeds": ".xml"}
_PLAIN = "text"
_SHOWN = 20
_EXTRACT = """
import sys
from pathlib import Path
from mediamirror import extract_document
for path in sorted(Path(sys.argv[1]).iterdir()):
    for kind in ("text", "html", "markdown", "srcset", "css", "urls", "json", "feed"):
        found = extract_document(path.read_bytes(), as_=kind, base_url="https://site.example/a/", document=path.name)
        for each in (*found.sets, *found.problems):
            print(kind, ascii(each))
"""
"""Prints all that is known of each image set: places and spellings too, of which JSON says nothing."""


def dense(chance: Random, sets: int) -> str:
    """Lines of image sets as crawled texts hold them, most of them whole."""
    lines = []
    for number in range(sets):
        stem = f"https://img{number % 7}.example.org/{chance.randrange(9999)}/picture-{chance.randrange(10**6)}"
        words = [f"{stem}_{width}.webp {width}w" for width in (320, 480, 768, 1280)[: chance.randrange(1, 5)]]
        comma = chance.choice((", ", ", ", ",", " , ", ",\n  ", "; ", " "))
        before = chance.choice(
            ("", f"date 2025-12-{number % 28 + 1:02d} story ", 'srcset="', "\u201c", f"{stem}.jpg, ", "2x ")
        )
        after = chance.choice(
            ("", "", '"', ".", " and more", f", {stem}", "today", f" {stem}_9.jpg 2x", " 5x", "\u00ad")
        )
        lines.append(f"{before}{comma.join(words)}{after}")
    return "\n".join(lines)


def write_documents(folder: Path, many: int) -> None:
    """Write the documents: fixtures, and what chance makes of them."""
    chance = Random(20261130)
    for path in sorted((ROOT / "fixtures").rglob("*")):
        if path.suffix in {".txt", ".html", ".md", ".css", ".xml", ".rss", ".atom", ".json", ".jsonl", ".csv"}:
            shutil.copy(path, folder / f"fixture-{'-'.join(path.relative_to(ROOT / 'fixtures').parts)}")
    (folder / "dense.txt").write_text(dense(chance, 4_000), "utf-8")
    texts = [path.read_bytes() for path in sorted((ROOT / "fixtures").rglob("*.txt"))]
    seeds = {name: list(found) for name, found in ((name, corpus(name)) for name in WORDS) if found}
    seeds[_PLAIN] = [*texts, *(dense(chance, 3).encode() for _ in range(20))]
    for name, found in seeds.items():
        for number in range(many * (3 if name == _PLAIN else 1)):
            data = mutated(chance.choice(found), found, WORDS.get(name, WORDS["srcset"]), chance)
            suffix = _KINDS.get(name, ".txt" if number % 2 else ".html")
            (folder / f"{name}-{number:05}{suffix}").write_bytes(data)


def write_site(folder: Path) -> None:
    """Write each known defect as a folder of a built site."""
    for number, case in enumerate(cases()):
        root = folder / f"{number:03}"
        for name, file in {"page.html": case.page, **{name: file.data for name, file in case.files.items()}}.items():
            path = root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file)


def commands(documents: Path, site: Path, named: list[str]) -> Iterator[list[str]]:
    """The command lines that both builds run."""
    yield ["python", "-c", _EXTRACT, str(documents)]
    base = ["--base-url", "https://site.example/a/"]
    for as_ in ("auto", "text", "html", "srcset", "urls", "markdown", "css"):
        yield ["parse", str(documents), *base, "--as", as_, "--format", "jsonl"]
    yield ["parse", str(documents), "--format", "table", "--explain"]
    yield ["parse", str(documents), "--format", "json", "--hide-secrets"]
    for each in named:
        yield ["parse", each, *base, "--format", "jsonl"]
    yield ["mirror", str(documents), *base, "--to", "out", "--dry-run", "--format", "jsonl"]
    yield ["verify", str(documents), "--root", str(documents), "--check", "header", "--format", "jsonl"]
    yield ["simulate", str(documents), "--root", str(documents), "--format", "jsonl"]
    for root in sorted(site.iterdir()):
        for more in ([], ["--ladder", "1.6"], ["--estimate"], ["--check", "header"]):
            yield ["verify", str(root), "--root", str(root), "--format", "jsonl", *more]


def said(build: Path, words: list[str], folder: Path) -> list[str]:
    """What a build prints for a command, sorted where its order is chance, and how it ends."""
    env = os.environ | {"XDG_STATE_HOME": str(folder / "state"), "PYTHONPATH": ""}
    program = [] if words[0] == "python" else [str(build / ".venv/bin/mediamirror")]
    command = [*program, *words] if program else [str(build / ".venv/bin/python"), *words[1:]]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    shutil.rmtree(folder / "state", ignore_errors=True)
    lines = [line for line in done.stdout.splitlines() if '"type":"summary"' not in line]
    return [*(sorted(lines) if words[0] == "verify" else lines), f"exit {done.returncode}"]


def main() -> None:
    """Compare, and say what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worktree", type=Path)
    parser.add_argument("documents", nargs="*")
    parser.add_argument("--many", type=int, default=60, help="documents made of each kind of fixture")
    parser.add_argument("--only", default="", help="only commands whose words hold this")
    given = parser.parse_args()
    differing = 0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "documents").mkdir()
        (folder / "site").mkdir()
        write_documents(folder / "documents", given.many)
        write_site(folder / "site")
        for words in commands(folder / "documents", folder / "site", given.documents):
            if given.only not in " ".join(words):
                continue
            before, now = (said(build, words, folder) for build in (given.worktree, ROOT))
            if before != now:
                differing += 1
                print("differs:", *(word.strip().partition("\n")[0] for word in words))
                for line in list(difflib.unified_diff(before, now, lineterm="", n=0))[:_SHOWN]:
                    print("   ", line[:400])
            else:
                print(
                    f"the same, {len(now):,} lines:", *(word.strip().partition("\n")[0] for word in words), flush=True
                )
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
