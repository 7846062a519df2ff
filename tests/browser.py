"""A built site as its reader's browser shows it: what is wrong with it, and pictures of every page.

    python tests/browser.py build/demo/site/html [--shots DIR]

Every page is opened in Chromium on a phone and on a desk, in light and dark, with the network unplugged.
"""

import argparse
import contextlib
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

from traunet.book.chromium import browser, served

PHONE, DESK = 390, 1440
HEIGHT = 900
VIEWS = tuple((width, scheme) for width in (PHONE, DESK) for scheme in ("light", "dark"))
GRAVE = ("serious", "critical")
# axe would fetch style sheets by itself, and resolves their imports wrongly.
RULES = {"resultTypes": ["violations"], "preload": False}
PATIENCE = 20_000  # milliseconds
LOOK = """() => ({
  width: [document.documentElement.scrollWidth, document.documentElement.clientWidth],
  pictures: [...document.images].map((i) => [i.currentSrc || i.src, i.naturalWidth, i.getAttribute("alt")]),
  links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
  ids: [...document.querySelectorAll("[id]")].map((e) => e.id),
  raw: [...document.querySelectorAll("article .math")].filter((m) => !m.querySelector("mjx-container")).length,
  broken: document.querySelectorAll("mjx-merror, [data-mjx-error]").length,
})"""


@dataclass
class Visit:
    """What one page did and holds: complaints in words, the links on it, its anchors."""

    faults: list[str] = field(default_factory=list)
    links: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)

    def add(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)


def pages_of(site: Path) -> list[str]:
    """The pages of a built site, apart from the theme's own files and a first page that only leads on."""
    found = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    return [page for page in found if not page.startswith("_") and page != "index.html"]


def faults(site: Path, shots: Path | None = None, views: tuple[tuple[int, str], ...] = VIEWS) -> list[str]:
    """Everything that is wrong with a built site, `page: what`; pictures of its pages into the folder `shots`."""
    pages, visits = pages_of(site), {}
    with served(site) as address, browser() as chromium:
        for page in pages:
            visits[page] = visit(chromium, address, page, shots, views)
        found = [f"{page}: {fault}" for page, seen in visits.items() for fault in seen.faults]
        found += broken_links(site, address, visits)
        found += search_faults(chromium, address, site)
        found += dark_mode_faults(chromium, address, pages[0])
    return found


def visit(chromium: Browser, address: str, page: str, shots: Path | None, views: tuple) -> Visit:
    """Open one page in each view and look at it."""
    seen = Visit()
    for width, scheme in views:
        with opened(chromium, address, seen, width, scheme) as tab:
            tab.goto(address + quote(page))
            settle(tab)
            _look(tab, seen, address, width)
            for fault in axe_faults(tab):
                seen.add(f"{fault} ({scheme}, {width} px)")
            if shots:
                shots.mkdir(parents=True, exist_ok=True)
                name = page.removesuffix(".html").replace("/", "-")
                tab.screenshot(path=shots / f"{name}-{width}-{scheme}.png", full_page=True)
    return seen


@contextlib.contextmanager
def opened(chromium: Browser, address: str, seen: Visit, width: int, scheme: str) -> Iterator[Page]:
    """A tab that keeps its requests within the site and writes down what goes wrong."""

    def within(route, request: Request) -> None:
        if request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            seen.add(f"asks the network for {request.url}")
            route.abort()

    def answered(response: Response) -> None:
        if response.status >= 400:
            seen.add(f"misses {_short(response.url, address)} ({response.status})")

    def said(message: ConsoleMessage) -> None:
        # The browser also says so of each answer and request above.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            seen.add(f"console error: {message.text}")

    colours: Any = scheme
    context = chromium.new_context(
        viewport={"width": width, "height": HEIGHT}, color_scheme=colours, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE)
    context.route("**/*", within)
    tab = context.new_page()
    tab.on("console", said)
    tab.on("pageerror", lambda error: seen.add(f"script error: {error}"))
    tab.on("response", answered)
    try:
        yield tab
    finally:
        context.close()


def settle(tab: Page) -> None:
    """Wait until the page has all it asked for: formulas, and pictures that load when they come into sight."""
    tab.evaluate("document.querySelectorAll('img[loading=lazy]').forEach((image) => (image.loading = 'eager'))")
    tab.wait_for_load_state("networkidle")
    tab.evaluate("window.MathJax?.startup?.promise?.then(() => true)")
    tab.evaluate("document.fonts.ready.then(() => true)")


def _look(tab: Page, seen: Visit, address: str, width: int) -> None:
    held = tab.evaluate(LOOK)
    whole, sight = held["width"]
    if whole > sight + 1:
        seen.add(f"scrolls sideways at {width} px: it is {whole} px wide")
    for source, natural, text in held["pictures"]:
        name = _short(source, address)
        if not natural:
            seen.add(f"shows the picture {name}, which does not load")
        # Sphinx writes the file's name where nobody wrote a text.
        if text is None or not text.strip() or re.fullmatch(r"\S+\.(svg|png|jpe?g|gif)", text.strip()):
            seen.add(f"shows the picture {name} without alternative text")
    if held["raw"] or held["broken"]:
        seen.add(f"{held['raw'] + held['broken']} formulas are not set")
    seen.links |= set(held["links"])
    seen.ids |= set(held["ids"])


def axe_faults(tab: Page) -> list[str]:
    """Serious and critical findings of axe, each with the first place."""
    tab.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    results = tab.evaluate("(options) => axe.run(document, options)", RULES)
    return [
        f"axe, {found['impact']}: {found['id']}: {found['help']}: {found['nodes'][0]['html'][:160]}"
        for found in results["violations"]
        if found["impact"] in GRAVE
    ]


def broken_links(site: Path, address: str, visits: dict[str, Visit]) -> list[str]:
    """Links within the site to a file or a place in a page that is not there."""
    found = []
    for page, seen in visits.items():
        for link in sorted(seen.links):
            if not link.startswith(address):
                continue
            target, anchor = urldefrag(link)
            path = unquote(urlsplit(target.removeprefix(address)).path) or "index.html"
            if not (site / path).is_file():
                found.append(f"{page}: links to {path}, which is not there")
            elif anchor and path in visits and unquote(anchor) not in visits[path].ids:
                found.append(f"{page}: links to {path}#{anchor}, and there is no such place")
    return found


def search_faults(chromium: Browser, address: str, site: Path) -> list[str]:
    """Search must find a chapter by the longest word of its title."""
    seen = Visit()
    with opened(chromium, address, seen, DESK, "light") as tab:
        page, word = _word_to_find(tab, address, pages_of(site))
        tab.goto(f"{address}search.html?q={quote(word)}")
        try:
            tab.wait_for_selector(f'#search-results a[href*="{page}"]', timeout=PATIENCE // 2)
        except Exception:
            seen.add(f"does not find {word!r}, which is in the title of {page}")
    return [f"search: {fault}" for fault in seen.faults]


def _word_to_find(tab: Page, address: str, pages: list[str]) -> tuple[str, str]:
    chapters = [page for page in pages if "/" in page]
    page = chapters[-1]
    tab.goto(address + quote(page))
    title = tab.locator("article h1").first.inner_text()
    return page, max(re.findall(r"[A-Za-z]+", title), key=len)


def dark_mode_faults(chromium: Browser, address: str, page: str) -> list[str]:
    """The button of the theme must lead to a dark page and on to a light one, and the next page must keep it."""
    seen = Visit()
    with opened(chromium, address, seen, DESK, "light") as tab:
        tab.goto(address + quote(page))
        settle(tab)
        button = tab.locator("button.theme-switch-button:visible").first
        schemes = {_background(tab)}
        for _ in range(3):
            if button.count():
                button.click()
            schemes.add(_background(tab))
        if schemes != {"light", "dark"}:
            seen.add(f"the page stays {' and '.join(sorted(schemes))}")
    return [f"dark mode: {fault}" for fault in seen.faults]


def _background(tab: Page) -> str:
    colour = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [float(value) for value in re.findall(r"[\d.]+", colour)[:3]]
    return "dark" if sum(channels) < 384 else "light"


def seconds_to_load(site: Path, page: str = "index.html") -> float:
    """From the request to the load event of a page, nothing kept from before."""
    with served(site) as address, browser() as chromium:
        with opened(chromium, address, Visit(), DESK, "light") as warm_up:
            warm_up.goto("about:blank")
        tab = chromium.new_page(viewport={"width": DESK, "height": HEIGHT})
        started = time.perf_counter()
        tab.goto(address + page)
        tab.wait_for_url(lambda url: not url.endswith("/index.html"))
        tab.wait_for_load_state("load")
        return time.perf_counter() - started


def megabytes(site: Path) -> float:
    """The size of all files."""
    return sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6


def _short(url: str, address: str) -> str:
    return "data:…" if url.startswith("data:") else unquote(url.removeprefix(address)).partition("?")[0]


def main() -> int:
    """The command: faults line by line, then size and time; 1 if there are any."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--shots", type=Path, metavar="DIR", help="write every page as pictures, in four views")
    given = parser.parse_args()
    if not (given.site / "index.html").is_file():
        parser.error(f"{given.site} holds no index.html; build a site first: make book PROFILE=smoke")
    found = faults(given.site, given.shots)
    print(*found, sep="\n", end="\n" if found else "")
    took = min(seconds_to_load(given.site) for _ in range(3))
    print(
        f"{len(pages_of(given.site))} pages, {len(found)} faults, {megabytes(given.site):.1f} MB, "
        f"first page {took:.2f} s"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
