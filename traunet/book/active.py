"""What a browser would run, in what a cell shows and in the finished page; the book's pages need none of it."""

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement
    from nbformat import NotebookNode

TAGS = ("script", "iframe", "object", "embed", "form", "base", "meta", "link")
ACTIVE = re.compile(rf"<\s*(?:{'|'.join(TAGS)})\b", re.IGNORECASE)
LINK_IN_FORMULA = re.compile(r"\\(?:href|require)\b")  # MathJax makes links, and loads what makes more
ACTIVE_ADDRESS = re.compile(r"javascript:|vbscript:|data:text/html", re.IGNORECASE)
ACTIVE_KINDS = ("javascript", "widget")
# Where readers of HTML differ, and so might hide from one what another runs: anything that begins like these, but
# for what matplotlib writes into its drawings, and ends of tags with nothing but a name.
ODD = re.compile(
    r"<!(?!--[^<>]*-->|DOCTYPE svg [^<>\[]*>)|<\?(?!xml [^<>]*\?>)|</(?![a-z][\w:.-]*\s*>)"
    r"|<[^<>]*[\s\"'/]on\w+\s*=",
    re.IGNORECASE,
)
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")  # which browsers leave out of an address
IN_QUOTE = re.compile(r"\n[ \t>]*")  # Markdown's marks of a quote vanish, also from within a tag
THEMES_OWN = {"toggleFullScreen()", "window.print()"}  # what buttons of the theme's run


def is_active(output: "NotebookNode") -> bool:
    """Whether a browser would run something in what a cell shows."""
    data = output.get("data", {})
    shown = [kind for kind in data if "svg" in kind or (kind.startswith("text/") and kind != "text/plain")]
    texts = ["".join(data[kind]) for kind in shown]
    active = any(word in kind for kind in data for word in ACTIVE_KINDS)
    return active or any(_runs(text) or _runs(IN_QUOTE.sub(" ", text)) for text in texts)


def in_page(root: "HtmlElement") -> Iterator[str]:
    """What runs in a finished page, in words, but for the theme's own: whatever an output's text was made into."""
    article = next(root.iter("article"), None)
    if article is not None:
        yield from (f"<{tag.tag}>" for tag in article.iter(*TAGS))
        if LINK_IN_FORMULA.search(article.text_content()):
            yield "a link in a formula"
    for name, value in ((name.lower(), value) for tag in root.iter() for name, value in tag.attrib.items()):
        if (name.startswith("on") and value not in THEMES_OWN) or _is_active(value):
            yield f"the attribute {name}={value[:40]!r}"


def _is_active(address: str) -> bool:
    return ACTIVE_ADDRESS.search(re.sub(r"[\x00-\x20]", "", address)) is not None


def _runs(text: str) -> bool:
    """Whether a browser would run something in it, whatever its spelling, or could read it as we do not."""
    plain = CONTROLS.sub("", unescape(text))
    if ACTIVE.search(text) or ODD.search(text) or ACTIVE_ADDRESS.search(plain) or LINK_IN_FORMULA.search(plain):
        return True
    reader = _Attributes()
    reader.feed(text)
    unended = "<" in reader.rawdata  # a tag that the rest of the page would end
    return unended or any(name.startswith("on") or _is_active(value or "") for name, value in reader.met)


class _Attributes(HTMLParser):
    """All attributes of all tags, their names in small letters and their values without escapes.

    What looks like a tag within a style is one in a drawing, and none elsewhere. So all are read as tags; and
    one that holds the beginning of another, which it could hide, counts as one that runs something.
    """

    def __init__(self):
        super().__init__()
        self.met: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.met += attrs
        if "<" in (self.get_starttag_text() or "")[1:]:
            self.met.append(("on", None))

    def set_cdata_mode(self, *_: object, **__: object) -> None:
        """Read on as before."""
