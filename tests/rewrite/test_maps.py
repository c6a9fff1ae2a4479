"""A mirror as a map, in the format of each program that redirects."""

from __future__ import annotations

import csv
import json
import re

from mediamirror.rewrite.maps import MapWriter

PAIRS = [
    ("https://a.example/1.webp", "https://m.example/a.example/1.webp"),
    ("https://a.example/1.webp?w=1,2&x={y}|z", "https://m.example/a.example/1~00.webp"),
    ("https://a.example:8443/2.webp", "https://m.example/a%2Bhttps%2B8443/2.webp"),
    ("https://a.example/q.webp?\\d", "https://m.example/$5/q.webp"),
]


def written(format: str, pairs: list[tuple[str, str]]) -> str:
    writer = MapWriter(format)
    return writer.head + "".join(writer.row(*pair) or "" for pair in pairs) + writer.tail


def test_csv_is_read_back_as_it_was() -> None:
    assert list(csv.reader(written("csv", PAIRS).splitlines())) == [["old", "new"], *map(list, PAIRS)]


def test_json_is_one_object() -> None:
    assert json.loads(written("json", PAIRS)) == dict(PAIRS)


def test_nginx_gets_quoted_strings_without_variables() -> None:
    rows = re.findall(r'^    "((?:[^"\\]|\\.)*)" "([^"]*)";$', written("nginx", PAIRS), re.MULTILINE)
    assert [(re.sub(r"\\(.)", r"\1", old), new.replace("%24", "$")) for old, new in rows] == PAIRS
    assert "$" not in "".join(new for _, new in rows)


def test_nginx_gets_one_of_two_urls_that_differ_in_case_alone() -> None:
    writer = MapWriter("nginx")
    rows = [writer.row(f"https://a.example/{name}.webp", "https://m.example/1") for name in ("Boat", "boat", "ship")]
    assert [row is None for row in rows] == [False, True, False]


def test_apache_gets_two_words_a_line() -> None:
    lines = [line for line in written("apache", PAIRS).splitlines() if not line.startswith("#")]
    assert [tuple(line.split()) for line in lines] == PAIRS


def test_cloudflare_gets_no_source_with_a_query_or_a_port() -> None:
    assert written("cloudflare", PAIRS) == "https://a.example/1.webp,https://m.example/a.example/1.webp,302,false\n"


def test_a_map_without_addresses_is_whole() -> None:
    assert json.loads(written("json", [])) == {}
    assert written("csv", []) == "old,new\n"
    assert written("nginx", []).endswith('    default "";\n}\n')
