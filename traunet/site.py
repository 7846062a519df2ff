"""A last look at the built site, as its reader gets it: nothing empty or missing, nothing from the network."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

LEAST_TEXT = 40  # characters below which a page counts as empty
# What a browser loads by itself when it shows a page; a link that a reader may click is another matter.
LOADED = (("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href"))
NOT_LOADED = {"canonical", "index", "search", "next", "prev", "author", "copyright"}  # of <link rel=...>


def faults(site: Path, pages: Iterable[str], banner: str | None) -> list[str]:
    """What is wrong with a built site, in words; an empty list if it may be shown.

    Every page of the table of contents must be there and hold a heading and text; every page must show the banner;
    what it loads or links to within the site must exist, and nothing is loaded from the network.
    """
    missing = [f"the page {page} is missing" for page in pages if not (site / f"{page}.html").is_file()]
    if missing or not (site / "index.html").is_file():
        return missing or ["index.html is missing"]
    found = []
    for page in pages:
        found += _content_faults(site / f"{page}.html", page)
    for file in sorted(site.rglob("*.html")):
        if "_static" not in file.relative_to(site).parts:
            found += [f"{file.relative_to(site)}: {fault}" for fault in _page_faults(file, site, banner)]
    return found


def _content_faults(file: Path, page: str) -> list[str]:
    article = _soup(file).find("article")
    if article is None or article.find("h1") is None:
        return [f"{page}: it has no heading"]
    text = article.get_text(" ", strip=True)
    return [] if len(text) >= LEAST_TEXT else [f"{page}: it is empty"]


def _page_faults(file: Path, site: Path, banner: str | None) -> Iterator[str]:
    soup = _soup(file)
    if soup.find("meta", attrs={"http-equiv": re.compile("refresh", re.IGNORECASE)}):  # index.html only leads on
        return
    if banner and _words(banner) not in " ".join(soup.get_text(" ").split()):
        yield "it does not show the banner with its profile and data set"
    for tag, attribute in LOADED:
        for element in soup.find_all(tag, attrs={attribute: True}):
            if tag != "link" or not NOT_LOADED & set(element.get("rel") or ()):
                yield from _loading_faults(str(element[attribute]), file, site)
    for link in soup.find_all("a", href=True):
        target = _local(str(link["href"]), file, site)
        if target and not target.exists():
            yield f"it links to {link['href']}, which is not there"


def _loading_faults(address: str, file: Path, site: Path) -> Iterator[str]:
    if urlsplit(address).netloc:
        yield f"it loads {address} from the network"
    target = _local(address, file, site)
    if target and not target.is_file():
        yield f"it shows {address}, which is not there"
    elif target and not target.stat().st_size:
        yield f"it shows {address}, which is empty"


def _local(address: str, file: Path, site: Path) -> Path | None:
    """The file of the site that an address means; None for other sites, mail, data and places in the page."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not parts.path:
        return None
    path = unquote(parts.path)
    return site / path.lstrip("/") if path.startswith("/") else file.parent / path


def _words(html: str) -> str:
    return " ".join(BeautifulSoup(html, "html.parser").get_text(" ").split())


def _soup(file: Path) -> BeautifulSoup:
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
