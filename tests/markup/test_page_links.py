from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mediamirror.markup.page import links as page_links
from mediamirror.markup.page.links import MAX_LINKS, find, host_of, listed, sitemaps_of

X = "https://x.example"


def urls(page: str) -> list[str]:
    return [url.removeprefix(X) for url in find(page.encode(), document=f"{X}/dir/", base_url=f"{X}/dir/").urls]


def test_links_are_absolute_without_fragment_and_each_once() -> None:
    assert urls('<a href="a">x</a><a href=" /b?c&amp;d#e ">x</a><a href="a#top">x</a><area href=//y.example>') == [
        "/dir/a",
        "/b?c&d",
        "https://y.example/",
    ]


def test_names_with_dots_that_are_no_extension_are_pages() -> None:
    page = "".join(
        f"<a href='/{n}'>x</a>" for n in ("john.smith", "v1.2", "a.php", "b.html?c=d.zip", "e.pdf", "f.tar.gz")
    )
    assert urls(page) == ["/john.smith", "/v1.2", "/a.php", "/b.html?c=d.zip"]


def test_a_page_of_very_many_links_gives_a_bounded_number_and_says_so() -> None:
    page = "<p>" + "".join(f"<a href={n}>x</a>" for n in range(MAX_LINKS + 5))
    found = find(page.encode(), document=X, base_url=f"{X}/")
    assert (len(found.urls), found.cut) == (MAX_LINKS, True)


def test_sitemaps_are_found_in_robots_txt_in_any_case_and_with_a_mark_before() -> None:
    robots = "\ufeffSitemap:https://x.example/a.xml\r\nUser-agent: *\n  SITEMAP : /b.xml # x\n#Sitemap: /no.xml\nSitemap:\n/no"
    assert sitemaps_of(robots, f"{X}/robots.txt") == (f"{X}/a.xml", f"{X}/b.xml")


def test_a_plain_list_gives_absolute_addresses_only() -> None:
    assert listed(f"{X}/a\r\n/b\nhttps://\nHTTPS://X.example/c#d\nwords", X, 9) == (f"{X}/a", f"{X}/c")


def test_the_host_keeps_a_port_that_is_not_the_usual_one() -> None:
    assert [host_of(url) for url in (f"{X}/a", f"{X}:8443/", "https://u:p@x.example/?@")] == [
        "x.example",
        "x.example:8443",
        "x.example",
    ]


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    for url in find(b"<a href=" + data, document=X, base_url=X).urls:
        assert url.startswith(("http://", "https://"))
        host_of(url)
    page_links.sitemaps_of(data.decode("utf-8", "replace"), X)
