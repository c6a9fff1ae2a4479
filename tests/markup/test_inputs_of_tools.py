"""What tools, content systems and scripts write, and the images that are in it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mediamirror.documents.plan import walk
from mediamirror.markup.extract import choose_kind, extract_document
from mediamirror.model import Extraction
from tests.growth import is_linear

BASE = "https://b.example/x/"


def find(text: str | bytes, as_: str = "html", base_url: str | None = BASE) -> Extraction:
    data = text if isinstance(text, bytes) else text.encode()
    return extract_document(data, as_=as_, base_url=base_url)


def urls(found: Extraction) -> list[str]:
    return [c.url.replace(BASE, "") for row in found.sets for c in row.candidates]


def names_of(text: str, as_: str = "html") -> list[tuple[str | None, str]]:
    return [
        (c.reference.attribute, c.url.replace(BASE, ""))
        for row in find(text, as_).sets
        for c in row.candidates
        if c.reference is not None
    ]


def test_the_address_of_a_page_about_a_file_is_no_image() -> None:
    assert names_of(
        '<img resource="./File:Kite.jpg" src="//up.example/250px-Kite.jpg" srcset="//up.example/500px-Kite.jpg 2x">'
        '<img class=lazyload data-image-name="Kite.jpg" data-image-key="Kite.jpg" data-src="https://st.example/a/Kite.jpg">'
        '<div data-href="/share/Kite.jpg" data-permalink="/attachment/kite.jpg" data-full="/wiki/Datei:Kite.jpg"></div>'
    ) == [
        ("src", "https://up.example/250px-Kite.jpg"),
        ("srcset", "https://up.example/500px-Kite.jpg"),
        ("data-src", "https://st.example/a/Kite.jpg"),
    ]


def test_a_record_s_links_to_pages_are_no_images_whatever_they_end_like() -> None:
    record = {
        "imageinfo": [
            {"url": "https://up.example/Kite.jpg", "descriptionurl": "https://commons.example/wiki/File:Kite.jpg"}
        ],
        "html_url": "https://gh.example/o/r/blob/main/kite.png",
        "permalink": "https://site.example/kite.png",
        "url": "https://api.github.com/repos/o/r/contents/kite.png?ref=main",
        "_links": {"html": "https://gh.example/o/r/kite.png", "self": "https://gh.example/kite.png"},
        "download_url": "https://raw.gh.example/o/r/main/kite.png",
    }
    wanted = ["https://up.example/Kite.jpg", "https://raw.gh.example/o/r/main/kite.png"]
    assert sorted(urls(find(json.dumps(record), "json"))) == sorted(wanted)
    page = f"<script type=application/json>{json.dumps(record)}</script>"
    assert sorted(urls(find(page))) == sorted(wanted)


@pytest.mark.parametrize("joint", [",", ", ", "|", ";", " ; "])
@pytest.mark.parametrize(
    ("template", "as_"),
    [
        ('<div data-images="{}"></div>', "html"),
        ('<media-gallery images="{}"></media-gallery>', "html"),
        ('<script type=application/json>{{"a":"{}"}}</script>', "html"),
        ('{{"gallery_images": "{}"}}', "json"),
        ('{{"anything": "{}"}}', "json"),
        ('name,additional_image_link\nx,"{}"', "csv"),
        (
            '<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:additional_image_link>{}'
            "</g:additional_image_link></item></channel></rss>",
            "feed",
        ),
    ],
)
def test_urls_that_are_joined_in_one_value_are_images_of_their_own(template: str, as_: str, joint: str) -> None:
    wanted = ["https://a.example/w_300,c_fill/2.jpg?v=1,2", "https://a.example/3.jpg"]
    found = find(template.format(joint.join(wanted)), as_)
    assert [[c.url for c in row.candidates] for row in found.sets] == [[url] for url in wanted]
    assert found.problems == ()


@pytest.mark.parametrize("joint", [",", ", ", "|", ";", " ", "\\n"])
@pytest.mark.parametrize(
    ("template", "as_"),
    [
        ('<img data-src="{}">', "html"),
        ('{{"photos": "{}"}}', "json"),
        ('name,image_urls\nx,"{}"', "csv"),
        ('<?xml version="1.0"?><row><field name="gallery_images">{}</field></row>', "xml"),
        ("<kml><Data name='gx_media_links'><value><![CDATA[{}]]></value></Data></kml>", "xml"),
        (
            '<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:image_link>{}</g:image_link></item></channel></rss>',
            "feed",
        ),
    ],
)
def test_joined_urls_without_an_ending_are_parted_where_the_name_says_what_they_are(
    template: str, as_: str, joint: str
) -> None:
    wanted = ["https://a.example/i/1?w=3,4", "https://a.example/i/2", "http://b.example/i/3"]
    joint = joint if as_ == "json" else joint.replace("\\n", "\n")
    assert urls(find(template.format(joint.join(wanted)), as_)) == wanted


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/fetch?u=https://b.example/1,https://c.example/2",
        "https://a.example/f_auto,w_100/https://b.example/1",
    ],
)
def test_a_url_that_carries_others_is_one(url: str) -> None:
    assert urls(find(json.dumps({"image": url}), "json")) == [url]
    assert urls(find(json.dumps({"image": f"{url},{url}0"}), "json")) == [url, f"{url}0"]


def test_what_else_is_joined_is_taken_for_no_image() -> None:
    record = {"text": "https://t.example/a https://i.example/b.jpg", "links": "https://a.example/1,https://a.example/2"}
    assert urls(find(json.dumps(record), "json")) == []


@pytest.mark.parametrize("url", ["https://youtu.be/x", "https://www.youtube.com/watch?v=x", "//vimeo.com/1"])
def test_the_page_of_a_film_is_no_image_whatever_the_field_is_called(url: str) -> None:
    assert urls(find(json.dumps({"image": url}), "json")) == []


@pytest.mark.parametrize("joint", [", ", " ", "\n "])
@pytest.mark.parametrize(
    "urls_of", [["https://a.example/1.jpg", "https://a.example/it's.jpg"], ["https://a.example/i/1"] * 2]
)
def test_a_list_as_python_and_numpy_print_it_is_read_whole(urls_of: list[str], joint: str) -> None:
    table = io.StringIO()
    csv.writer(table).writerows([["images"], [f"[{joint.join(map(repr, urls_of))}]"]])
    assert [c.url for row in find(table.getvalue(), "csv").sets for c in row.candidates] == list(dict.fromkeys(urls_of))


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("Attachments", "a b.jpg (https://v5.example/a/x),c.PNG (https://v5.example/b/y)", ["a/x", "b/y"]),
        ("Attachments", "a.pdf (https://v5.example/a/x),c.png (https://v5.example/b/y)", ["b/y"]),
        ("Photos", "scan (https://v5.example/a/x)", ["a/x"]),
        ("Notes", "see it (https://v5.example/a.html)", []),
        ("Photo", '=IMAGE("https://v5.example/a.jpg")', ["a.jpg"]),
        ("Photo", "=image( 'https://v5.example/i/2'; 1)", ["i/2"]),
        ("productImageUrl", "a~mv2.jpg;b.png", ["a~mv2.jpg", "b.png"]),
        ("image", "w_3,c_2.jpg", ["w_3,c_2.jpg"]),
        ("photo_url", "https://unsplash.com/photos/XM", []),
        ("photo_url", "https://unsplash.com/photos/XM/download", ["https://unsplash.com/photos/XM/download"]),
        ("image_link", "https://x.com/a/status/1/photo/1", []),
        ("uri", "media/posts/202001/x.jpg", ["media/posts/202001/x.jpg"]),
        ("file_name", "train/x.jpg", []),
    ],
)
def test_a_cell_as_this_or_that_tool_exports_it(field: str, value: str, wanted: list[str]) -> None:
    table = io.StringIO()
    csv.writer(table).writerows([["id", field], ["1", value]])
    assert [each.replace("https://v5.example/", "") for each in urls(find(table.getvalue(), "csv"))] == wanted


def test_the_excerpts_comments_and_descriptions_of_an_export_of_wordpress_are_html() -> None:
    page = "<![CDATA[<img src=/{}.jpg>]]>"
    export = (
        '<rss xmlns:wp="http://wordpress.org/export/1.2/" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"><channel>'
        f"<wp:category><wp:category_description>{page.format(1)}</wp:category_description></wp:category>"
        f"<item><link>https://w.example/k/</link><excerpt:encoded>{page.format(2)}</excerpt:encoded>"
        f"<wp:comment><wp:comment_content>{page.format(3)}</wp:comment_content></wp:comment></item></channel></rss>"
    )
    assert urls(find(export, "feed")) == [
        "https://b.example/1.jpg",
        "https://w.example/2.jpg",
        "https://w.example/3.jpg",
    ]


def test_an_attachment_of_activitypub_is_an_image_by_its_media_type() -> None:
    post = {"type": "Document", "mediaType": "image/jpeg", "url": "https://m.example/i/2", "width": 10, "height": 20}
    (row,) = find(
        json.dumps({"attachment": [post, {**post, "mediaType": "video/mp4", "url": "https://m.example/i/3"}]}), "json"
    ).sets
    assert [(c.url, c.width) for c in row.candidates] == [("https://m.example/i/2", 10)]


def test_the_posts_of_an_archive_of_twitter_are_json_in_a_script(tmp_path: Path) -> None:
    script = 'window.YTD.tweets.part0 = [\n{"tweet": {"media_url_https": "https://t.example/media/x.jpg"}}]'
    assert choose_kind(script.encode(), media_type=None, document="") == "json"
    assert urls(find(script, "json")) == ["https://t.example/media/x.jpg"]
    (tmp_path / "tweets.js").write_text(script)
    (tmp_path / "app.js").write_text("var a = {}")
    assert [path.name for path in walk(tmp_path)] == ["tweets.js"]


def test_joined_paths_from_the_root_are_parted_too_and_their_spans_are_their_own() -> None:
    page = b'<p>\n<div data-images="/u/a.jpg,/u/b.jpg"></div>'
    spans = [c.reference.span for row in find(page).sets for c in row.candidates if c.reference is not None]
    assert [page[slice(*span)] for span in spans if span is not None] == [b"/u/a.jpg", b"/u/b.jpg"]


def test_a_comma_inside_a_url_stays() -> None:
    assert urls(find('<div data-images="https://res.example/up/w_300,c_fill/g.jpg"></div>')) == [
        "https://res.example/up/w_300,c_fill/g.jpg"
    ]


def test_the_script_of_a_behaviour_and_a_binding_are_no_images() -> None:
    css = (
        ".f{behavior:url(PIE.htc)}.g{ SRC : url(a.eot?#x) format('e'), url( b.woff )}"
        ".j{-MOZ-Binding : url('x.xml#y')}.k{background:url(k.png)}a{x:y;behavior: url(#a) url(b.htc)}"
    )
    assert urls(find(css, "css")) == ["k.png"]
    assert find(css, "css").problems == ()


def test_ghost_s_word_for_the_site_is_the_base_url_and_a_template_without_one() -> None:
    export = json.dumps(
        {"posts": [{"html": '<img src="__GHOST_URL__/content/images/a.jpg">', "feature_image": "__GHOST_URL__/f.jpg"}]}
    )
    assert sorted(urls(find(export, "json"))) == ["content/images/a.jpg", "f.jpg"]
    assert {problem.code for problem in find(export, "json", None).problems} == {"unfilled-template"}


def test_a_post_of_ghost_that_was_published_elsewhere_first_has_its_images_on_its_own_site() -> None:
    post = {
        "canonical_url": "https://elsewhere.example/1",
        "html": '<img src="__GHOST_URL__/a.jpg"><img src="__GHOST_URL__/b.jpg">',
    }
    assert sorted(urls(find(json.dumps({"posts": [post]}), "json"))) == ["a.jpg", "b.jpg"]


GHOST = {
    "lexical": {
        "root": {
            "children": [
                {"type": "image", "src": "__GHOST_URL__/a.jpg", "width": 30, "height": 20},
                {"type": "html", "html": '<img src="__GHOST_URL__/b.jpg?a=1&amp;b" srcset="/b2.jpg 2x">'},
            ]
        }
    },
    "mobiledoc": {
        "cards": [
            ["image", {"src": "__GHOST_URL__/ünï.jpg"}],
            ["gallery", {"images": [{"fileName": "d.jpg", "src": "https://g.example/d.jpg", "width": 3, "height": 2}]}],
            ["markdown", {"markdown": "![k](/k.jpg)"}],
        ]
    },
    "value": {"logo": {"in": json.dumps({"deeper": "https://g.example/logo.png"})}},
}


@pytest.mark.parametrize("spelled", [json.dumps, lambda value: json.dumps(value, ensure_ascii=False)])
def test_json_in_the_strings_of_json_is_read_with_its_places(spelled: Callable[[object], str]) -> None:
    post = {name: spelled(value) for name, value in GHOST.items()}
    export = spelled({"db": [{"data": {"posts": [post], "settings": [{"value": "__GHOST_URL__/cover.jpg"}]}}]})
    data = export.encode()
    found = extract_document(data, document="a.json", base_url=BASE)
    names = ["a.jpg", "b.jpg?a=1&b", "b2.jpg", "%C3%BCn%C3%AF.jpg", "d.jpg", "k.jpg", "logo.png", "cover.jpg"]
    assert sorted(url.rpartition("/")[2] for url in urls(found)) == sorted(names)
    assert [c.width for row in found.sets for c in row.candidates if c.url.endswith("a.jpg")] == [30]
    for row in found.sets:
        for c in row.candidates:
            assert c.reference is not None
            assert c.reference.span is not None
            assert data[slice(*c.reference.span)].decode() == c.raw_url


def test_json_in_strings_is_followed_so_far_and_no_further() -> None:
    text = "https://g.example/a.jpg"
    for _ in range(12):
        text = json.dumps([text, "https://g.example/x.png"])
    assert 0 < len(urls(find(text, "json"))) <= 5


def test_an_attachment_of_a_wordpress_export_is_an_image_where_its_file_is_one() -> None:
    item = "<item><wp:attachment_url><![CDATA[https://w.example/up/{}]]></wp:attachment_url></item>"
    export = '<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel>' + item.format("a.jpg") + item.format("b.pdf")
    assert urls(find(export + "</channel></rss>", "feed")) == ["https://w.example/up/a.jpg"]


def test_what_wordpress_keeps_beside_a_post_is_read() -> None:
    sizes = {"medium": ("kite-300x200.jpg", 300, 200), "large": ("kïte-1024x683.jpg", 1024, 683)}
    php = "".join(
        f's:{len(name)}:"{name}";a:4:{{s:4:"file";s:{len(file.encode())}:"{file}";s:5:"width";i:{width};s:6:"height";'
        f'i:{height};s:9:"mime-type";s:10:"image/jpeg";}}'
        for name, (file, width, height) in sizes.items()
    )
    metadata = (
        'a:5:{s:5:"width";i:2560;s:6:"height";i:1707;s:4:"file";s:23:"2024/01/kite-scaled.jpg";'
        f's:5:"sizes";a:2:{{{php}}}s:14:"original_image";s:8:"kite.jpg";}}'
    )
    values = [
        "2024/01/kite-scaled.jpg",
        metadata,
        'a:1:{i:0;s:27:"https://w.example/slide.jpg";}',
        json.dumps([{"settings": {"image": {"url": "https://w.example/e.jpg"}, "editor": "<img src=/q.jpg>"}}]),
        "https://w.example/og.jpg",
        "some words",
    ]
    export = (
        '<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel><item><link>https://w.example/kite/</link>'
        "<wp:attachment_url><![CDATA[https://w.example/up/2024/01/kite-scaled.jpg]]></wp:attachment_url>"
        + "".join(f"<wp:postmeta><wp:meta_value><![CDATA[{each}]]></wp:meta_value></wp:postmeta>" for each in values)
        + "</item></channel></rss>"
    ).encode()
    found = extract_document(export, document="export.xml")
    assert found.problems == ()
    rows = [[(c.url.removeprefix("https://w.example/"), c.width) for c in row.candidates] for row in found.sets]
    assert rows == [
        [("up/2024/01/kite-scaled.jpg", None)],
        [
            ("up/2024/01/kite-scaled.jpg", 2560),
            ("up/2024/01/kite-300x200.jpg", 300),
            ("up/2024/01/k%C3%AFte-1024x683.jpg", 1024),
        ],
        [("up/2024/01/kite.jpg", None)],
        [("slide.jpg", None)],
        [("e.jpg", None)],
        [("q.jpg", None)],
        [("og.jpg", None)],
    ]
    for row in found.sets:
        for c in row.candidates:
            assert c.reference is not None
            assert c.reference.span is not None
            assert export[slice(*c.reference.span)].decode() == c.raw_url


def test_lightgallery_s_files_come_with_their_screens() -> None:
    (row,) = find('<div data-responsive="i/375.jpg 375, i/480.jpg 480, i/1.jpg 800"></div>').sets
    assert [(s.media, *(c.url.replace(BASE, "") for c in s.candidates)) for s in row.sources] == [
        ("(max-width: 375px)", "i/375.jpg"),
        ("(max-width: 480px)", "i/480.jpg"),
        ("(max-width: 800px)", "i/1.jpg"),
    ]


@pytest.mark.parametrize(
    "spacer",
    [
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 3 2'%3E%3C/svg%3E",
        "data:image/svg+xml;base64,PHN2ZyB3aWR0aD0iMSIgaGVpZ2h0PSIyIi8+",
        "data:image/svg+xml;charset=utf-8,%3Csvg height='4' version='1.1'%3E%3C/svg%3E",
        "data:image/svg+xml;utf8,<svg><rect width='1' fill='none' height='2'/></svg>",
    ],
)
def test_a_spacer_is_no_problem_and_no_missing_fallback(spacer: str) -> None:
    assert find(f'<img src="{spacer}">').problems == ()
    (row,) = find(f'<img src="{spacer}" srcset="/a.jpg 480w, {spacer.replace(" ", "%20")} 32w">').sets
    assert (row.problems, [c.width for c in row.candidates]) == ((), [480])


def test_a_drawing_in_a_data_url_is_told() -> None:
    (problem,) = find("<img src='data:image/svg+xml,%3Csvg%3E%3Ccircle r=\"1\"/%3E%3C/svg%3E'>").problems
    assert problem.code == "scheme-not-fetched"


HERO = "https://cdn.example/hero.jpg"


@pytest.mark.parametrize(
    "script",
    [
        r'window.__reactRouterContext.streamController.enqueue("[{\"_1\":2},\"hero\",\"https://cdn.example/hero.jpg\"]\n");',
        "_WidgetManager._SetDataContext([{'name': 'blog', 'data': {'postImageUrl': 'https://cdn.example/hero.jpg'}}]);",
        'kit.start(app, element, {node_ids: [0], data: [null,{type:"data",data:{hero:{src:"https://cdn.example/hero.jpg"}}}]});',
        'dataLayer.push({"event":"x","image":"https://cdn.example/hero.jpg"})',
        "var data = {\n            'colorImages': { 'initial': [{\"hiRes\":\"https://cdn.example/hero.jpg\"}]} };",
        "start({title: 'it\\'s', image: 'https://cdn.example/hero.jpg'})",
        r"x = {image: 'https:\x2f\x2fcdn.example\/hero.jpg'}",
        "gallery = ['https://cdn.example/hero.jpg', 'https://cdn.example/hero.jpg']",
    ],
)
def test_the_state_that_a_script_hands_over_is_read(script: str) -> None:
    assert set(urls(find(f"<script>{script}</script>"))) == {HERO}


def test_what_a_script_does_outside_of_its_state_is_no_image() -> None:
    script = f'var a = {{b: 1}}; new Image().src = "https://t.example/p.png"; show("https://t.example/q.png"); c({{d: "{HERO}"}})'
    assert urls(find(f"<script>{script}</script>")) == [HERO]


def test_state_that_angular_escaped_is_read_with_its_places() -> None:
    page = (
        "<script type=application/json>"
        "{&q;img&q;:&q;https://c.example/a.jpg?x=1&a;y=2&q;,&q;h&q;:&q;&l;img src=/q.jpg&g;&q;}</script>"
    )
    found = find(page)
    assert sorted(urls(found)) == ["https://b.example/q.jpg", "https://c.example/a.jpg?x=1&y=2"]
    spans = [c.reference.span for row in found.sets for c in row.candidates if c.reference is not None]
    assert sorted(page[slice(*span)] for span in spans if span is not None) == [
        "/q.jpg",
        "https://c.example/a.jpg?x=1&a;y=2",
    ]


XHTML = '<html xmlns="http://www.w3.org/1999/xhtml">'
IMAGES = '<img src="x.png" srcset="x2.png 2x" alt=""/>'


@pytest.mark.parametrize(
    "body",
    [
        f"<head><title/></head><body>{IMAGES}</body>",
        f'<head><script src="a.js"/><style/></head><body>{IMAGES}</body>',
        f"<body><textarea/><iframe/><noscript/><select/>{IMAGES}</body>",
        f"<body><p>a <![CDATA[<img src='no.png'/> <b><img src='no2.png'/>]]></p>{IMAGES}</body>",
        f"<body><!-- <img src='no.png'/> - -->{IMAGES}</body>",
        f"<body><textarea>{IMAGES}</textarea><textarea>words</textarea></body>",
        f"<head><title>\n<q>{IMAGES}</q></title><title>a</title></head>",
        f"<body><iframe src='a.html'><xmp>{IMAGES}</xmp></iframe><noembed><![CDATA[<img src='no.png'/>]]></noembed></body>",
    ],
)
def test_xhtml_is_read_by_the_rules_of_xml(body: str) -> None:
    assert urls(find(f'<?xml version="1.0"?>\r\n{XHTML}{body}</html>', "xhtml")) == ["x.png", "x2.png"]


def test_elements_with_a_prefix_are_those_of_its_namespace_and_keep_their_places() -> None:
    page = (
        '<h:html xmlns:h="http://www.w3.org/1999/xhtml" xmlns:s="http://www.w3.org/2000/svg" '
        'xmlns:q="urn:q"><h:head><h:title>t</h:title></h:head>'
        '<h:body>\r\n<h:img src="x.png" srcset="x2.png 2x" alt=""/><q:img src="no.png"/>'
        '<s:svg><s:image href="y.png"/></s:svg></h:body></h:html>'
    )
    found = find(page, "xhtml")
    assert urls(found) == ["x.png", "x2.png", "y.png"]
    for row in found.sets:
        for c in row.candidates:
            assert c.reference is not None
            assert c.reference.span is not None
            assert page[slice(*c.reference.span)] == c.url.removeprefix(BASE)


def test_xhtml_is_known_by_its_type_and_its_extension_and_html_is_not_taken_for_it() -> None:
    page = f"{XHTML}<head><title/></head><body>{IMAGES}</body></html>".encode()
    assert len(urls(extract_document(page, media_type="application/xhtml+xml", base_url=BASE))) == 2
    assert len(urls(extract_document(page, document="a.xhtml", base_url=BASE))) == 2
    assert urls(extract_document(page, document="a.html", base_url=BASE)) == []


def test_the_declaration_of_xhtml_gives_its_encoding() -> None:
    page = '<?xml version="1.0" encoding="windows-1251"?>' + XHTML + '<img src="п.png" alt="Пёс"/></html>'
    (row,) = find(page.encode("cp1251"), "xhtml").sets
    assert row.alt == "Пёс"


@pytest.mark.parametrize(
    "unit", ["<a/>", "<!--", "<![CDATA[", "<a b='", "x({a:", "='", "'{\"", "f({a:1,", '"],["', "/u/a.jpg,"]
)
def test_time_grows_with_the_text_and_no_faster(unit: str) -> None:
    def read(size: int) -> None:
        body = unit * size
        find(body, "xhtml")
        find(f"<script>.jpg {body}</script>")
        find(f'<div data-x="{body}"></div>')

    assert is_linear(read, 1_000, 8_000)


@pytest.mark.parametrize("media_type", ["text/html; charset=utf-8", "text/plain"])
@pytest.mark.parametrize("name", ["https://s.example/wp-json/posts", "https://s.example/feed.json?page=1"])
def test_json_that_comes_as_a_page_or_a_text_is_json_although_markup_is_in_its_strings(
    media_type: str, name: str
) -> None:
    answer = json.dumps({"image": "https://s.example/a.jpg", "content_html": '<img src="/b.jpg">'}).encode()
    found = extract_document(answer, media_type=media_type, document=name, base_url="https://s.example/")
    assert sorted(urls(found)) == ["https://s.example/a.jpg", "https://s.example/b.jpg"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_rows_that_come_as_plain_text_are_known_by_their_name(name: str) -> None:
    assert choose_kind(b"id,image\n", media_type="text/plain", document=f"https://s.example/{name}?x") == name[2:]


IN_UTF_16 = [("utf-8-sig", b""), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")]
ONE, TWO = "https://h.example/a.jpg", "https://h.example/b.jpg"


@pytest.mark.parametrize(("encoding", "mark"), IN_UTF_16)
@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.txt", f"{ONE}\r\n{TWO}\r\n", "urls"),
        ("-", f"{ONE}\n{TWO}\n", "urls"),
        ("a.txt", f"id\turl\n1\t{ONE}\n2\t{TWO}\n", "tsv"),
        ("a", f'{{"image": "{ONE}"}}', "json"),
        ("a", f'{{"image": "{ONE}"}}\n{{"image": "{TWO}"}}', "jsonl"),
        ("a", "<?xml version='1.0'?><rss><channel/></rss>", "feed"),
        ("a", "<?xml version='1.0'?><urlset></urlset>", "sitemap"),
        ("a", "<?xml version='1.0'?><shop/>", "xml"),
        ("a", f"<html><img src={ONE}>", "html"),
        ("a", '{"log": {"version": "1.2"}}', "har"),
    ],
)
def test_what_a_document_is_does_not_depend_on_its_byte_order_mark(
    encoding: str, mark: bytes, name: str, text: str, kind: str
) -> None:
    assert choose_kind(mark + text.encode(encoding), media_type=None, document=name) == kind


@pytest.mark.parametrize(("encoding", "mark"), IN_UTF_16)
@pytest.mark.parametrize("text", [f"Text ![]({ONE})", f"Text <img src='{ONE}'>", f"<!doctype html><img src={ONE}>"])
def test_markdown_and_html_in_a_text_are_read_in_every_encoding(encoding: str, mark: bytes, text: str) -> None:
    assert urls(find(mark + text.encode(encoding), as_="text")) == [ONE]


@pytest.mark.parametrize("name", ["-", "a.txt"])
def test_json_lines_are_known_in_a_text_without_a_type(name: str) -> None:
    rows = f'{{"image": "{ONE}"}}\n{{"image": "{TWO}"}}\n'.encode()
    assert choose_kind(rows, media_type=None, document=name) == "jsonl"
    assert choose_kind(b'{\n"a": 1}', media_type=None, document=name) == "text"


def test_markdown_that_begins_with_json_stays_markdown_or_text() -> None:
    page = b'{"title": "x"}\n\n![a](https://s.example/a.jpg)\n'
    assert choose_kind(page, media_type="text/plain", document="https://s.example/README.md") == "text"


def test_the_size_beside_an_address_counts_for_files_of_image_services_too() -> None:
    row = {"url": "https://images.unsplash.com/photo-1?w=600", "width": 600, "height": 400}
    (found,) = find(json.dumps(row), "json").sets
    assert [(c.width, c.height) for c in found.candidates] == [(600, 400)]
