"""The blocks of a Markdown text: where a paragraph, a block of code or one of HTML begins and ends (CommonMark 0.31, 3 to 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.records.markdown_inline import TAG

_LINE = pattern(r"[^\r\n]*(?:\r\n?|\n)?")
_FENCE = pattern(r"(?:[ \t>]|[-+*][ \t]|[0-9]{1,9}[.)][ \t]|(?!))*+(`{3,}|~{3,})([^\r\n]*)")
_CLOSING = pattern(r"[ \t]*(`{3,}|~{3,})[ \t]*\r?\n?\Z")
_LIST_ITEM = pattern(r" {0,3}(?:[-+*]|[0-9]{1,9}[.)])(?:[ \t]|\r?\n?\Z)")
_ITEM_IN_QUOTE = pattern(r" {0,3}>[ >]{0,12}(?:[-+*]|1[.)])[ \t]+\S")
_BLANKS = " \t\r\n"
"""What a blank line holds: other white space is text."""
_ORDERED = pattern(r" {0,3}(?!1[.)])[0-9]{1,9}[.)]")
_CODE_ITEM = pattern(r" {0,3}(?:> ?+){0,12}+(?:[-+*]|[0-9]{1,9}[.)]) {5,}(?=[^ \t\r\n])")
_CODE_QUOTE = pattern(r" {0,3}(?:> ?+){1,12}+ {4,}(?=[^ \t\r\n>])")
_INDENT = pattern(r"[ \t]*+(?=[^ \t\r\n])")
_PREFIXED = r"[ >]{0,12}(?:(?:[-+*]|[0-9]{1,9}[.)])[ \t]{1,4}){0,4}"
_HTML_BLOCK = pattern(
    _PREFIXED + r"<(?:(?P<raw>pre|script|style|textarea)(?=[\s>])|(?P<comment>!--)|(?P<instruction>\?)"
    r"|(?P<cdata>!\[CDATA\[)|(?P<declared>!(?=[A-Za-z]))"
    r"|/?(?:address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt"
    r"|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu"
    r"|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track"
    r"|ul)(?=[\s>]|/>|\Z))",
    re.IGNORECASE,
)
_HTML_LINE = pattern(_PREFIXED + TAG + r"[ \t]*\r?\n?\Z")
_RULE = pattern(r"[ >]{0,12}(?:(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|(?:-[ \t]*){3,})\r?\n?\Z")
_UNDERLINE = pattern(r"[ >]{0,12}(?:=++|-++)[ \t]*\r?\n?\Z")
_UNTIL_BLANK = "\n"
_RAW_END = "</"
_ENDS = {"raw": _RAW_END, "comment": "-->", "instruction": "?>", "cdata": "]]>", "declared": ">"}
_RAW_ENDS = ("</pre>", "</script>", "</style>", "</textarea>")
"""Any of these ends what any of them opened."""
_MARKS = "#=-*_"
"""What a heading, what underlines one, and what parts two paragraphs begin with."""
_QUOTE = pattern(r" {0,3}> ?")
_CONTAINER = pattern(r" {0,3}(?:(>) ?|(?:[-+*]|[0-9]{1,9}[.)])[ \t]{1,4})")
_HEADING = pattern(r"[ >]{0,12}#{1,6}(?:[ \t]|\r?\n?\Z)")


def _inner(line: str, around: tuple[int, ...]) -> int | None:
    """CommonMark, 5: where a line's own text begins within the quotes and list items around it; None for a line outside of them."""
    at = 0
    for width in around:
        if not width:
            mark = _QUOTE.match(line, at)
            if mark is None:
                return None
            at = mark.end()
        elif line[at:].strip():
            indent = _INDENT.match(line, at)
            if indent is None or len(indent[0].expandtabs(4)) < width:
                return None
            at += min(width, len(indent[0]))
    return at


def _is_indented(line: str, offset: int) -> bool:
    if line[0] not in " \t":
        return False
    indent = _INDENT.match(line)
    return indent is not None and len(indent[0].expandtabs(4)) >= offset + 4


def _html_end(opening: re.Match[str]) -> str:
    """CommonMark, 4.6: what ends the block that a line opens."""
    return _ENDS.get(opening.lastgroup or "", _UNTIL_BLANK)


CODE, HTML, TEXT = "code", "html", "text"
Block = tuple[int, int, str]


def parts(text: str) -> Iterator[Block]:
    """Paragraphs, blocks of code and blocks of HTML in order."""
    done = 0
    for start, end, kind in _blocks(text):
        if start > done:
            yield done, start, TEXT
        if end > start:
            yield start, end, kind
        done = end
    if done < len(text):
        yield done, len(text), TEXT


def _blocks(text: str) -> Iterator[Block]:
    """Blocks of code and of HTML; an empty one where a paragraph ends without one."""
    state = _State()
    for match in _LINE.finditer(text):
        if match.start() == match.end():
            break
        inner = _inner(match[0], state.around) if state.fence or state.html else 0
        if inner is None:
            yield state.opened, match.start(), CODE if state.fence else HTML
            state.fence, state.html, state.after_blank = "", "", True
        if state.html:
            yield from state.in_html(match)
        else:
            yield from state.fenced(match, inner or 0) if state.fence else state.open(match)
    if state.fence or state.html:
        yield state.opened, len(text), CODE if state.fence else HTML


@dataclass(slots=True)
class _State:
    """What the lines so far have opened. ``opened`` is where the block of code or HTML starts; ``html`` is what ends it.

    ``offset`` is the column in which the text of the last list item begins; ``around`` what the open block stands in: 0 for a
    quote, the width of its marker for a list item.
    """

    fence: str = ""
    opened: int = 0
    in_list: bool = False
    in_quote: bool = False
    after_blank: bool = True
    html: str = ""
    offset: int = 0
    around: tuple[int, ...] = ()

    def _around(self, line: str, end: int) -> tuple[int, ...]:
        """What a block stands in that opens at ``end`` of a line."""
        found: list[int] = []
        at = 0
        while (mark := _CONTAINER.match(line, at, end)) is not None:
            found.append(0 if mark[1] else mark.end() - at)
            at = mark.end()
        is_below_item = self.in_list and not found and end >= self.offset > 0
        return (self.offset,) if is_below_item else tuple(found)

    def fenced(self, match: re.Match[str], inner: int) -> Iterator[Block]:
        """Take a line of a fenced block, whose own text begins at ``inner``."""
        closing = _CLOSING.match(match[0], inner)
        if closing is not None and closing[1].startswith(self.fence):
            yield self.opened, match.end(), CODE
            self.fence, self.after_blank = "", True

    def in_html(self, match: re.Match[str]) -> Iterator[Block]:
        """CommonMark, 4.6: until a blank line, or the line on which it is ended."""
        line = match[0].lower()
        if self.html == _UNTIL_BLANK:
            ended = not line.strip(" \t\r\n>")
        else:
            ended = any(tag in line for tag in _RAW_ENDS) if self.html == _RAW_END else self.html in line
        if ended:
            yield self.opened, match.end(), HTML
            self.html, self.after_blank = "", True

    def open(self, match: re.Match[str]) -> Iterator[Block]:
        """Take a line that is in no fenced block."""
        line, (start, end) = match[0], match.span()
        blank = not line.strip(_BLANKS) or (line.lstrip(_BLANKS)[:1] == ">" and not line.strip(">" + _BLANKS))
        is_indented = not blank and _is_indented(line, self.offset if self.in_list else 0)
        # CommonMark, 5.2: a number other than 1 can't end a paragraph. 4.4: code may be all that an item or a quote begins with.
        is_within = not self.after_blank and not self.in_list and _ORDERED.match(line) is not None
        in_item = not is_within and _LIST_ITEM.match(line) is not None and not _RULE.match(line)
        is_code = (in_item and _CODE_ITEM.match(line)) or (
            (self.after_blank or not self.in_quote) and _CODE_QUOTE.match(line)
        )
        opening = None if blank or is_indented else _FENCE.match(line)
        if opening is not None and not (opening[1][0] == "`" and "`" in opening[2]):
            self.fence, self.opened = opening[1], start
            self.around = self._around(line, opening.start(1))
            yield start, start, TEXT
        elif blank:
            yield start, start, TEXT
            self.in_list = self.in_list and (line[0] != ">")
        elif is_code and not is_indented:
            yield start, start, TEXT
            yield from self._text(line, start, end)
            yield start, end, CODE
            self.after_blank = True
            return
        elif self.after_blank and is_indented:
            yield start, end, CODE
            return  # what is indented below it is code as well
        elif (
            "<" in line
            and not is_indented
            and not is_within
            and (html := _HTML_BLOCK.match(line) or (_HTML_LINE.match(line) if self.after_blank or in_item else None))
            is not None
        ):
            self.html, self.opened = _html_end(html), start
            self.around = self._around(line, line.index("<"))
            yield start, start, TEXT
            self.after_blank = False
            yield from self.in_html(match) if self.html != _UNTIL_BLANK else ()
            return
        else:
            yield from self._text(line, start, end)
            return
        self.after_blank = blank

    def _text(self, line: str, start: int, end: int) -> Iterator[Block]:
        item = None if _RULE.match(line) else _LIST_ITEM.match(line)
        if item is not None and not self.after_blank and not self.in_list and _ORDERED.match(line):
            item = None
        is_empty = item is not None and not line[item.end() :].strip()
        if is_empty and not self.after_blank and not self.in_list:
            item, is_empty = None, False  # CommonMark, 5.2: an empty item can't end a paragraph
        is_item, is_quote = item is not None, _QUOTE.match(line) is not None
        is_heading = line.lstrip(" >")[:1] in _MARKS and (
            (_HEADING.match(line) or _RULE.match(line) or (None if self.after_blank else _UNDERLINE.match(line)))
            is not None
        )
        self.offset = item.end() if item is not None else self.offset
        if is_heading or is_item or (is_quote and not self.in_quote) or _ITEM_IN_QUOTE.match(line):
            yield start, start, TEXT
        if is_heading or is_empty:
            yield end, end, TEXT
        self.in_list = is_item or (self.in_list and (not self.after_blank or line[0] in " \t"))
        self.in_quote = is_quote or (self.in_quote and not self.after_blank)
        self.after_blank = is_heading or is_empty
