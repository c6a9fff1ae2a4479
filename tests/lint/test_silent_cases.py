"""What the standard forbids an author to write and every browser passes over: each is told, once, and what is right is not."""

from __future__ import annotations

import pytest
from looking import BROWSER

from fixtures.defects import SITE
from mediamirror.lint import check_set, choose_codes, lint_options
from mediamirror.markup.extract import extract_document

OPTIONS = lint_options(codes=choose_codes())


def rules(html: str) -> list[tuple[str, str]]:
    """Rule and beginning of the message of each finding of the grammar, set by set."""
    sets = extract_document(html.encode(), document="p.html", base_url=f"{SITE}/").sets
    told = [finding for image_set in sets for finding in check_set(image_set, {}, OPTIONS, browser=BROWSER)]
    return [(finding.rule, finding.message) for finding in told if finding.rule in {"MM117", "MM121"}]


@pytest.mark.parametrize(
    ("html", "rule", "says"),
    [
        ('<img alt="" src="a.jpg" srcset="b.jpg 0x">', "MM121", "The density is 0"),
        ('<img alt="" src="a.jpg" srcset="b.jpg -0x">', "MM121", "The density is 0"),
        ('<img alt="" src="a.jpg" srcset="b.jpg 1w 1h" sizes="1px">', "MM121", "The height descriptor 1h"),
        ('<img alt="" src="a.jpg" srcset="b.jpg 640w 480h" sizes="9px">', "MM121", "The height descriptor 480h"),
        ('<img alt="" src="a.jpg" srcset="">', "MM121", "The srcset is empty"),
        ('<img alt="" src="a.jpg" srcset=" \n ">', "MM121", "The srcset is empty"),
        ('<picture><source srcset=""><img alt="" src="a.jpg"></picture>', "MM121", "The srcset is empty"),
        ('<img alt="" src="a.jpg" srcset="b.jpg 2x" sizes="100vw">', "MM121", "The img has sizes but no width"),
        ('<img alt="" src="a.jpg" sizes="100vw">', "MM121", "The img has sizes but no width"),
        (
            '<picture><source srcset="b.jpg 2x" sizes="9px"><img alt="" src="a.jpg"></picture>',
            "MM121",
            "The source has sizes but no width",
        ),
        ('<picture><source media="(min-width: 1px)"><img alt="" src="a.jpg"></picture>', "MM117", "This source"),
        ('<picture><source src="b.jpg"><img alt="" src="a.jpg"></picture>', "MM117", "This source"),
    ],
)
def test_a_case_that_was_silent_is_told(html: str, rule: str, says: str) -> None:
    ((found, message),) = rules(html)
    assert found == rule
    assert message.startswith(says)


@pytest.mark.parametrize(
    "html",
    [
        '<img alt="" src="a.jpg" srcset="b.jpg 2x">',
        '<img alt="" src="a.jpg" srcset="b.jpg 640w" sizes="9px">',
        '<img alt="" src="a.jpg" srcset="b.jpg 0.5x">',
        '<picture><source srcset="b.jpg 2x"><img alt="" src="a.jpg"></picture>',
        '<video><source src="a.mp4"></video><img alt="" src="a.jpg">',
    ],
)
def test_what_the_standard_lets_an_author_write_is_not(html: str) -> None:
    assert rules(html) == []
