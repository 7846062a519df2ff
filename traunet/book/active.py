"""What a browser would run, in what a notebook's cell shows; the book's pages need none of it."""

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

ACTIVE = re.compile(r"<\s*(?:script|iframe|object|embed|form|base|meta|link)\b|javascript:", re.IGNORECASE)
ACTIVE_ADDRESS = re.compile(r"javascript:|vbscript:|data:text/html", re.IGNORECASE)
ACTIVE_KINDS = ("javascript", "widget")
# Where readers of HTML differ, and so might hide from one what another runs: anything that begins like these, but
# for what matplotlib writes into its drawings, and ends of tags with nothing but a name.
ODD = re.compile(
    r"<!(?!--[^<>]*-->|DOCTYPE svg [^<>\[]*>)|<\?(?!xml [^<>]*\?>)|</(?![a-z][\w:.-]*\s*>)"
    r"|<[^<>]*[\s\"'/]on\w+\s*=",
    re.IGNORECASE,
)


def is_active(output: "NotebookNode") -> bool:
    """Whether a browser would run something in what a cell shows."""
    data = output.get("data", {})
    shown = [kind for kind in data if "svg" in kind or (kind.startswith("text/") and kind != "text/plain")]
    active = any(word in kind for kind in data for word in ACTIVE_KINDS)
    return active or any(_runs("".join(data[kind])) for kind in shown)


def _runs(text: str) -> bool:
    """Whether a browser would run something in it, whatever its spelling, or could read it as we do not."""
    if ACTIVE.search(text) or ODD.search(text):
        return True
    reader = _Attributes()
    reader.feed(text)
    unended = "<" in reader.rawdata  # a tag that the rest of the page would end
    return unended or any(
        name.startswith("on") or ACTIVE_ADDRESS.search(re.sub(r"[\x00-\x20]", "", value or ""))
        for name, value in reader.met
    )


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
