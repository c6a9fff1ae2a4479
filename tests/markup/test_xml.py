from __future__ import annotations

import pytest

from mediamirror.markup.extract import choose_kind, extract_document
from mediamirror.model import Extraction, Severity

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def find(body: str, *, head: str = HEAD, encoding: str = "utf-8") -> Extraction:
    return extract_document(
        (head + body).encode(encoding), document="goods.xml", base_url="https://shop.example/f/g.xml"
    )


def urls(body: str) -> list[str]:
    return [c.url for row in find(body).sets for c in row.candidates]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<yml_catalog><offer><picture>https://a.example/1</picture></offer></yml_catalog>", ["https://a.example/1"]),
        ("<SHOP><SHOPITEM><IMGURL>https://a.example/2</IMGURL></SHOPITEM></SHOP>", ["https://a.example/2"]),
        ("<a><image_url><![CDATA[https://a.example/3.jpg]]></image_url></a>", ["https://a.example/3.jpg"]),
        (
            '<offers><imgs><main url="https://a.example/4.jpg?a=1&amp;b=2"/></imgs></offers>',
            ["https://a.example/4.jpg?a=1&b=2"],
        ),
        ("<kml><Icon><href>files/5.png</href></Icon></kml>", ["https://shop.example/f/files/5.png"]),
        (
            "<o><picture><url>https://a.example/5</url><link>https://a.example/p</link></picture></o>",
            ["https://a.example/5"],
        ),
        ('<row><img src="6.jpg"/></row>', ["https://shop.example/f/6.jpg"]),
        ('<body><graphic xlink:href="https://a.example/e1_g001"/></body>', ["https://a.example/e1_g001"]),
        ("<p><text>&lt;img src='/7.jpg'></text></p>", ["https://shop.example/7.jpg"]),
        ('<l><x srcset="/8.jpg 320w, /9.jpg 640w"/></l>', ["https://shop.example/8.jpg", "https://shop.example/9.jpg"]),
        ("<a><link>https://a.example/page</link><url>https://a.example/</url><id>10.5</id></a>", []),
    ],
)
def test_xml_of_no_standard_is_read_field_by_field(body: str, found: list[str]) -> None:
    assert urls(body) == found


RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
PICTURE = "http://schemas.openxmlformats.org/drawingml/2006/picture"


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        (
            'Type="http://x/relationships/image" Target="https://a.example/1" TargetMode="External"',
            ["https://a.example/1"],
        ),
        ('Type="http://x/relationships/image" Target="media/1.png"', []),
        ('Type="http://x/relationships/hyperlink" Target="https://a.example/1.jpg" TargetMode="External"', []),
    ],
)
def test_of_the_relationships_of_an_office_document_those_to_pictures_elsewhere_are_images(
    attributes: str, found: list[str]
) -> None:
    assert urls(f'<Relationships xmlns="{RELATIONSHIPS}"><Relationship Id="r" {attributes}/></Relationships>') == found


def test_a_name_in_a_part_of_an_office_document_is_no_file_and_an_address_is_one() -> None:
    body = f'''<w:p xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:pic="{PICTURE}">
      <pic:cNvPr name="1.png" descr="./1.png"/><Override PartName="/word/media/1.png"/><v:imagedata o:href="https://a.example/2.png"/>
      <f>_xlfn.IMAGE("https://a.example/3")</f></w:p>'''
    assert urls(body) == ["https://a.example/2.png", "https://a.example/3"]


def test_the_name_of_a_namespace_is_no_image_whatever_its_prefix_says() -> None:
    assert urls(f'<a xmlns:img="{PICTURE}" xmlns:image="https://a.example/i.png"><b imageuri="{PICTURE}"/></a>') == []


def test_a_file_is_an_image_by_the_type_beside_it() -> None:
    body = '<item href="a/1" media-type="image/png"/><item href="a.css" media-type="text/css"/><x xlink:href="b" type="image/gif"/>'
    assert urls(f"<package>{body}</package>") == ["https://shop.example/f/a/1", "https://shop.example/f/b"]


def test_a_place_in_xml_is_that_of_the_bytes_references_and_all() -> None:
    page = '<?xml version="1.0" encoding="windows-1251"?><a>\n<name>Ёж</name><img>https://a.example/1.jpg?a&amp;b</img></a>'
    data = page.encode("cp1251")
    (row,) = extract_document(data, document="goods.xml").sets
    reference = row.candidates[0].reference
    assert reference is not None
    assert reference.span is not None
    assert (reference.carrier, reference.attribute, reference.line) == ("xml", "img", 2)
    assert data[slice(*reference.span)] == b"https://a.example/1.jpg?a&amp;b"


def test_damaged_xml_is_told_of_and_the_rest_is_read() -> None:
    found = find("<a><img>https://a.example/1.jpg</img></b><img>https://a.example/2.jpg</img>")
    assert [row.candidates[0].url for row in found.sets] == ["https://a.example/1.jpg", "https://a.example/2.jpg"]
    assert "malformed-xml" in {p.code for p in (*found.problems, *(p for row in found.sets for p in row.problems))}


@pytest.mark.parametrize(
    ("text", "urls_of"),
    [
        ("<a><img>https://a.example/1.jpg</img><img>https://a.example/2.jp", ["1"]),
        ("<a><img>https://a.example/1.jpg</img><img>https://a.example/2.jpg</img", ["1", "2"]),
        ("<a><d><![CDATA[<img src=https://a.example/1.jpg> <img src=https://a.example/2.jp", ["1"]),
        ("<a><img>https://a.example/1.jpg</img><!-- ", ["1"]),
    ],
)
def test_xml_that_is_cut_gives_what_is_whole_and_an_error(text: str, urls_of: list[str]) -> None:
    found = find(text)
    assert [row.candidates[0].url for row in found.sets] == [f"https://a.example/{each}.jpg" for each in urls_of]
    told = [
        p.severity
        for p in (*found.problems, *(p for row in found.sets for p in row.problems))
        if p.code == "malformed-xml"
    ]
    assert Severity.ERROR in told


def test_what_stands_between_elements_is_read_as_text_where_no_field_holds_an_image() -> None:
    assert urls("<a>Words <b>and</b> https://a.example/1.jpg 320w, https://a.example/2.jpg 640w</a>") == [
        "https://a.example/1.jpg",
        "https://a.example/2.jpg",
    ]


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ("<goods/>", "xml"),
        ("<!-- html --><!DOCTYPE yml_catalog SYSTEM 'shops.dtd'>\n<yml_catalog/>", "xml"),
        ("<rss><channel/></rss>", "feed"),
        ("<urlset></urlset>", "sitemap"),
        ('<html xmlns="http://www.w3.org/1999/xhtml"/>', "html"),
        ("<svg/>", "text"),
    ],
)
def test_the_root_element_tells_xml_of_no_standard_from_feeds_sitemaps_pages_and_drawings(
    document: str, kind: str
) -> None:
    assert choose_kind((HEAD + document).encode(), media_type="application/xml", document="x.xml") == kind
