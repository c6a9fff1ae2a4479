from __future__ import annotations

from mediamirror.markup.page import html
from mediamirror.model import Candidate, ImageSet

SITE = "https://site.example/dir/page.html"


def find(page: str) -> list[ImageSet]:
    return list(html.find(page.encode(), document="p.html", base_url=SITE).sets)


def og(**properties: str) -> str:
    return "".join(
        f'<meta property="og:image{":" + name if name != "_" else ""}" content="{v}">' for name, v in properties.items()
    )


def sizes(row: ImageSet) -> list[tuple[str, int | None, int | None]]:
    return [(c.url.removeprefix("https://site.example/dir/"), c.width, c.height) for c in row.candidates]


def only(page: str) -> Candidate:
    (row,) = find(page)
    return row.candidates[0]


def test_width_and_height_belong_to_the_picture_before_them() -> None:
    page = og(_="a.jpg", width="1200", height="630") + og(_="b.jpg") + og(_="c.jpg", width="300px")
    assert [sizes(row) for row in find(page)] == [
        [("a.jpg", 1200, 630)],
        [("b.jpg", None, None)],
        [("c.jpg", 300, None)],
    ]


def test_a_stated_size_is_flagged_as_no_descriptor() -> None:
    assert only(og(_="a.jpg", width="1200")).flags == ("stated-size",)
    assert only(og(_="a.jpg", width="wide")).flags == ()


def test_the_secure_address_is_of_the_same_picture() -> None:
    (row,) = find(og(_="a.jpg", url="a.jpg", secure_url="https://s.example/a.jpg", type="image/jpeg"))
    assert [c.url for c in row.candidates] == [
        "https://site.example/dir/a.jpg",
        "https://site.example/dir/a.jpg",
        "https://s.example/a.jpg",
    ]
    assert row.sources[0].mime == "image/jpeg"


def test_repeated_og_image_url_starts_a_picture_each() -> None:
    assert [sizes(row)[0][0] for row in find(og(url="a.jpg", width="1") + og(url="b.jpg"))] == ["a.jpg", "b.jpg"]


def test_a_size_before_any_picture_belongs_to_none() -> None:
    assert [sizes(row) for row in find(og(width="1200", _="a.jpg"))] == [[("a.jpg", None, None)]]


def test_property_and_name_are_taken_for_every_family_in_any_case() -> None:
    page = '<meta name="OG:Image" content=a><meta property="twitter:image:src" content=b>'
    assert [row.candidates[0].url.rpartition("/")[2] for row in find(page)] == ["a", "b"]


def test_the_alt_of_a_card_is_the_alt_of_its_image() -> None:
    page = '<meta name="twitter:image:alt" content="Mill"><meta name="twitter:image" content=a>'
    assert [row.alt for row in find(page)] == ["Mill"]


def test_a_value_escaped_twice_is_unescaped_and_says_so() -> None:
    candidate = only('<meta property="og:image" content=" //cdn.example/a.jpg?x=1&amp;amp;y=2 ">')
    assert (candidate.url, candidate.flags) == ("https://cdn.example/a.jpg?x=1&y=2", ("unescaped",))


def test_what_looks_like_a_reference_in_a_query_stays_as_it_is() -> None:
    page = '<meta property="og:image" content="a.jpg?x=1&copy=2&regid=3">'
    assert only(page).url == "https://site.example/dir/a.jpg?x=1&copy=2&regid=3"


def test_several_names_in_one_attribute_are_each_looked_at() -> None:
    assert only('<meta property="foo og:image" content=a.jpg>').url.endswith("/a.jpg")


def test_an_itemprop_link_to_a_page_about_the_image_is_no_image() -> None:
    page = '<a itemprop="image" href="photo.html">x</a><a itemprop="image" href="photo.png">x</a>'
    assert [row.candidates[0].url.rpartition("/")[2] for row in find(page)] == ["photo.png"]


def test_an_empty_picture_is_a_problem() -> None:
    found = html.find(b'<meta property="og:image" content="">', document="p", base_url=SITE)
    assert [p.code for p in found.problems] == ["empty-url"]


def test_a_bare_name_of_a_file_whose_size_was_stated_is_one_of_its_places() -> None:
    page = (
        '<meta property="og:image" content="/a.jpg"><meta property="og:image:width" content="1200">'
        '<meta name="twitter:image" content="/a.jpg"><meta name="thumbnail" content="/b.jpg"><img src="/a.jpg">'
    )
    found = html.find(page.encode(), document="p.html", base_url="https://site.example/").sets
    assert [(s.sources[0].carrier, [p.carrier for p in s.places]) for s in found] == [
        ("og:image", ["twitter:image"]),
        ("thumbnail", []),
        ("img", []),
    ]


def test_the_file_of_an_item_that_is_an_image_is_an_image_and_the_url_of_another_item_is_a_page() -> None:
    page = (
        '<div itemscope itemtype="https://schema.org/Article"><meta itemprop="url" content="article.html">'
        '<span itemprop="image" itemscope itemtype="https://schema.org/ImageObject">'
        '<meta itemprop="url" content="a.jpg"><meta itemprop="width" content="800"></span>'
        '<figure itemscope itemtype="http://schema.org/ImageObject"><a itemprop="contentUrl" href="b.jpg">B</a></figure>'
        '<p typeof="schema:ImageObject"><link property="contentUrl" href="c.jpg"></p>'
        '<p itemscope itemtype="https://schema.org/Organization"><link itemprop="url" href="d.html"></p></div>'
    )
    assert [row[0][0] for row in map(sizes, find(page))] == ["a.jpg", "b.jpg", "c.jpg"]


def test_a_link_to_the_page_of_an_item_that_is_an_image_is_no_image() -> None:
    item = '<div itemscope itemtype="http://schema.org/ImageObject"><a itemprop="url" href="{}"><img src="a.jpg"></a></div>'
    assert [sizes(row)[0][0] for row in find(item.format("photos/station/"))] == ["a.jpg"]
    assert {sizes(row)[0][0] for row in find(item.format("b.jpg"))} == {"a.jpg", "b.jpg"}


def test_rdfa_names_images_as_microdata_does() -> None:
    page = '<meta property="image" content="a.jpg"><link property="schema:thumbnailUrl" href="b.jpg">'
    page += '<meta property="http://schema.org/image" content="c.jpg"><meta property="article:image" content="d.jpg">'
    assert [row[0][0] for row in map(sizes, find(page))] == ["a.jpg", "b.jpg", "c.jpg"]


def test_any_element_with_a_content_names_an_image_and_so_does_json_in_a_meta() -> None:
    page = '<span itemprop="thumbnailUrl" content="a.jpg"></span><b property="schema:image" content="b.jpg">B</b>'
    page += (
        """<meta name='parsely-metadata' content='{"image_url": "https://site.example/dir/c.jpg", "n": "&quot;"}'>"""
    )
    page += '<span itemprop="name" content="d.jpg"></span>'
    assert {(row.sources[0].carrier, sizes(row)[0][0]) for row in find(page)} == {
        ("itemprop", "a.jpg"),
        ("itemprop", "b.jpg"),
        ("json", "c.jpg"),
    }
