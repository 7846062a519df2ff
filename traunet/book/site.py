"""A last look at the built site, as its reader gets it: nothing empty or missing, foreign or from the network.

Every page is read once. What scripts would load only a browser can tell (tests/).
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml.etree import ParserError
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from traunet.book import active

EMPTY = "<html></html>"  # what a file without a single tag or word is read as, which is no page to the parser
LEAST_TEXT = 40  # characters below which a page counts as empty
# What a browser loads by itself when it shows a page; a link that a reader may click is another matter.
LOADED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "input": ("src",),
    "link": ("href",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
NOT_LOADED = {
    "canonical",
    "index",
    "search",
    "next",
    "prev",
    "author",
    "copyright",
    "license",
}  # of <link rel=...>
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
IN_STYLE = re.compile(
    r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^)"'\s]*))\s*\)|@import\s+(?:"([^"]*)"|'([^']*)')""", re.I
)
NAMES = re.compile(r"\.(?:png|jpe?g|gif|svg|webp)$", re.IGNORECASE)  # docutils takes the file's for want of a text


@dataclass(frozen=True)
class Page:
    """A page of the site, read once."""

    file: Path
    site: Path

    @cached_property
    def root(self) -> HtmlElement:
        # Without `huge_tree` the parser drops, in silence, what lies deep or behind a large picture in the page.
        parser = HTMLParser(huge_tree=True)
        try:
            return document_fromstring(self.file.read_text(encoding="utf-8"), parser=parser)
        except ParserError:
            return document_fromstring(EMPTY)

    @cached_property
    def places(self) -> set[str]:
        """What `#...` may name within the page."""
        return {*self.root.xpath("//@id"), *self.root.xpath("//a/@name")}

    @property
    def name(self) -> str:
        return str(self.file.relative_to(self.site))

    @cached_property
    def leads_on(self) -> bool:
        """Whether it shows nothing and sends the browser to another page, as index.html does."""
        return any("refresh" in told.lower() for told in self.root.xpath("//meta/@http-equiv"))


def faults(site: Path, pages: Iterable[str], banner: str | None) -> list[str]:
    """What is wrong with a built site, in words; an empty list if it may be shown.

    Every page of the table of contents must be there and hold a heading and text; every page must show the banner;
    every picture has alternative text; what it loads or links to within the site must exist, down to the place in
    a page, and nothing is loaded from the network, by pages or by style sheets; nothing runs but the theme's own.
    """
    missing = [
        f"the page {page} is missing: build the site again"
        for page in pages
        if not (site / f"{page}.html").is_file()
    ]
    if missing or not (site / "index.html").is_file():
        return missing or ["index.html is missing: build the site again"]
    shown = {
        os.path.normpath(file): Page(file, site)
        for file in sorted(site.rglob("*.html"))
        if "_static" not in file.relative_to(site).parts
    }
    found = [
        fault for page in pages for fault in _content_faults(shown[os.path.normpath(site / f"{page}.html")], page)
    ]
    for page in shown.values():
        if not page.leads_on:
            found += [f"{page.name}: {fault}" for fault in _page_faults(page, shown, banner)]
    for file in sorted(site.rglob("*.css")):
        style = file.read_text(encoding="utf-8", errors="ignore")
        found += [f"{file.relative_to(site)}: {fault}" for fault in _style_faults(style, file, site)]
    return found


def _content_faults(page: Page, name: str) -> list[str]:
    article = next(page.root.iter("article"), None)
    if article is None or next(article.iter("h1"), None) is None:
        return [f"{name}: it has no heading; begin it with one, '# Title'"]
    feet = article.find_class("made")
    length = _length(article) - sum(map(_length, feet))
    return [] if length >= LEAST_TEXT else [f"{name}: it is empty; write it, or take it out of _toc.yml"]


def _page_faults(page: Page, shown: Mapping[str, Page], banner: str | None) -> Iterator[str]:
    if banner and _words(document_fromstring(banner)) not in _words(page.root):
        yield "it does not show the banner with its profile and data set; restore html: announcement"
    for tag in page.root.iter(*LOADED):
        if not (tag.tag == "link" and NOT_LOADED & set(tag.get("rel", "").split())):
            for address in _addresses(tag):
                yield from _loading_faults(address, page.file, page.site)
        if tag.tag == "img":
            yield from _text_faults(tag)
    for style in [*page.root.xpath("//@style"), *page.root.xpath("//style/text()")]:
        yield from _style_faults(style, page.file, page.site)
    for what in active.in_page(page.root):
        yield f"a browser would run something in it, {what}; take out the output that holds it"
    for address in dict.fromkeys(page.root.xpath("//a/@href")):
        yield from _link_faults(address, page, shown)


def _addresses(tag: HtmlElement) -> Iterator[str]:
    for attribute in LOADED[tag.tag]:
        text = tag.get(attribute, "").strip()
        if attribute == "srcset":
            yield from (part.split()[0] for part in re.split(r",\s+", text) if part.strip())
        elif text:
            yield text


def _text_faults(picture: HtmlElement) -> Iterator[str]:
    text, address = picture.get("alt", "").strip(), picture.get("src", "")
    name = address if len(address) < 100 else f"{address[:40]}…"
    if not text or text == address or NAMES.search(text):
        yield (
            f"the picture {name} has no alternative text; write it: ![text](file), or in the cell's metadata "
            "mystnb.image.alt"
        )


def _style_faults(style: str, file: Path, site: Path) -> Iterator[str]:
    for match in IN_STYLE.finditer(COMMENT.sub("", style)):
        address = next(filter(None, match.groups()), "")
        if address and not address.startswith("#"):
            yield from _loading_faults(address, file, site)


def _link_faults(address: str, page: Page, shown: Mapping[str, Page]) -> Iterator[str]:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return
    target = _local(address, page.file, page.site) or page.file
    if not target.exists():
        yield f"it links to {address}, which is not there; correct the link"
        return
    place, other = unquote(parts.fragment), shown.get(os.path.normpath(target))
    if place not in ("", "top") and other and not other.leads_on and place not in other.places:
        yield f"it links to {address}, and {other.name} has no such place; correct the link"


def _loading_faults(address: str, file: Path, site: Path) -> Iterator[str]:
    if urlsplit(address).netloc:
        yield f"it loads {address} from the network; ship the file with the site, or take it out"
    target = _local(address, file, site)
    if target and not target.is_file():
        yield f"it shows {address}, which is not there; correct the address"
    elif target and not target.stat().st_size:
        yield f"it shows {address}, which is empty; make it again"


def _local(address: str, file: Path, site: Path) -> Path | None:
    """The file of the site that an address means; None for other sites, mail, data and places in the page."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not parts.path:
        return None
    path = unquote(parts.path)
    return site / path.lstrip("/") if path.startswith("/") else file.parent / path


def _words(part: HtmlElement) -> str:
    return " ".join(part.text_content().split())


def _length(part: HtmlElement) -> int:
    """Characters that a reader reads of it."""
    read = part.xpath(".//text()[not(parent::script or parent::style)]")
    return len("".join("".join(read).split()))
