"""The book as one PDF: Chromium prints every page of the built site, in reading order, and pypdf joins them.

Light colours, everything opened, no navigation; a title page with the contents, a bookmark a chapter, numbered
pages that each bear the banner's words, and links between chapters that lead to the chapter in the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag

from tqdm import tqdm

from traunet.book.chromium import browser, served
from traunet.records.keeping import whole

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pypdf import PdfWriter

WIDTH = 700  # CSS pixels between A4's margins; what is wider is made smaller, tables and formulas apiece
MARGINS = {"top": "14mm", "bottom": "18mm", "left": "12mm", "right": "12mm"}
PATIENCE = 60_000  # milliseconds
PRINT = """
.bd-header-announcement, .bd-sidebar, .bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article,
.header-article, .prev-next-footer, .bd-footer, .bd-footer-content, .headerlink, .copybtn, #jb-print-docs-body,
#pst-back-to-top, #pst-skip-link, .tocsection { display: none !important; }
.bd-main, .bd-content, .bd-article-container, .bd-article, .bd-page-width, .bd-container, .bd-container__inner {
  display: block !important; margin: 0 !important; max-width: none !important; padding: 0 !important; }
html { font-size: 13px; scroll-padding: 0; }
article h1 { display: block !important; }
div.cell_input { break-inside: avoid; }
"""
PREPARE = """async () => {
  document.documentElement.dataset.theme = document.documentElement.dataset.mode = "light";
  document.querySelectorAll("details").forEach((one) => (one.open = true));
  document.querySelectorAll(".toggle-hidden").forEach((one) => one.classList.remove("toggle-hidden"));
  document.querySelectorAll("img").forEach((image) => (image.loading = "eager"));
  await Promise.all([...document.images].map((image) => image.decode().catch(() => 0)));
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  for (const box of document.querySelectorAll(".pst-scrollable-table-container, article div.math")) {
    const room = box.clientWidth, need = box.scrollWidth;
    if (need > room) [...box.children].forEach((inner) => (inner.style.zoom = (0.99 * room) / need));
  }
}"""
TITLE = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 13px/1.5 sans-serif; margin: 12vh 8vw; }} h1 {{ font-size: 40px; }} li {{ margin: 2px 0; }}
.note {{ background: #ffd54d; padding: 8px 12px; }}</style>
<h1>{title}</h1><p>{subtitle}</p>{note}<ol>{contents}</ol>"""
FOOT = """<!doctype html><meta charset="utf-8"><style>@page {{ size: A4; margin: 0 }}
html, body {{ margin: 0 }} div {{ height: 296.9mm; break-after: page; position: relative; overflow: hidden;
font: 9px sans-serif; color: #444 }} p {{ position: absolute; bottom: 5mm; left: 12mm; right: 12mm; display: flex;
justify-content: space-between; gap: 8mm }}</style>{feet}"""
SUBTITLE = "The executable companion of: Upper, Middle and Lower Region Learning for Facial Action Unit Detection"


@dataclass(frozen=True)
class Printed:
    """A book in a file."""

    path: Path
    pages: int
    chapters: int


def check_pages(site: Path, pages: Sequence[str]) -> None:
    """Raise FileNotFoundError unless all these pages, given without `.html`, are built."""
    absent = [page for page in pages if not (site / f"{page}.html").is_file()]
    if absent:
        raise FileNotFoundError(
            f"{site}: holds no page {absent[0]}; build the site first: make book, with its PROFILE"
        )


def print_book(site: Path, pages: Sequence[str], out: Path, title: str, note: str | None) -> Printed:
    """Print the pages of a built site, given without `.html` and in order, into one PDF at `out`.

    `note` is the banner's HTML. Raises FileNotFoundError without a site, NoBrowserError without Chromium.
    """
    check_pages(site, pages)
    from pypdf import PdfReader, PdfWriter

    with served(site) as address, browser() as chromium:
        shown = tqdm(pages, desc="printing", unit="page", disable=None, leave=False)
        chapters = [_print_page(chromium, f"{address}{page}.html") for page in shown]
        titles = [name for name, _ in chapters]
        cover = _print_html(chromium, _title_page(title, titles, note))
        parts = [PdfReader(BytesIO(data)) for data in (cover, *(data for _, data in chapters))]
        starts = [sum(len(part.pages) for part in parts[:number]) for number in range(len(parts))]
        writer = PdfWriter()
        for name, part in zip((title, *titles), parts, strict=True):
            writer.append(part, outline_item=name, import_outline=False)
        _lead_within(writer, address, dict(zip(pages, starts[1:], strict=True)))
        _number(writer, _print_html(chromium, _feet(len(writer.pages), note)))
    writer.add_metadata({"/Title": title})
    writer.compress_identical_objects()
    with whole(out) as part:
        writer.write(part)
    return Printed(out, len(writer.pages), len(pages))


def _print_page(chromium: "Browser", url: str) -> tuple[str, bytes]:
    """A page's heading, and the page as a PDF."""
    page = _new_page(chromium)
    page.goto(url, wait_until="load")
    page.emulate_media(media="print", color_scheme="light")
    page.add_style_tag(content=PRINT)
    page.evaluate(PREPARE)
    heading = page.locator("article h1").first.evaluate("(head) => head.firstChild.textContent").strip()
    data = page.pdf(format="A4", margin=MARGINS, print_background=True)  # pyright: ignore[reportArgumentType]
    page.close()
    return heading, data


def _print_html(chromium: "Browser", html: str) -> bytes:
    page = _new_page(chromium)
    page.set_content(html)
    data = page.pdf(format="A4", print_background=True, prefer_css_page_size=True)
    page.close()
    return data


def _new_page(chromium: "Browser") -> "Page":
    page = chromium.new_page(viewport={"width": WIDTH, "height": 1000}, color_scheme="light")
    page.set_default_timeout(PATIENCE)
    return page


def _title_page(title: str, chapters: Sequence[str], note: str | None) -> str:
    contents = "".join(f"<li>{escape(name)}</li>" for name in chapters)
    said = f'<p class="note">{note}</p>' if note else ""
    return TITLE.format(title=escape(title), subtitle=SUBTITLE, note=said, contents=contents)


def _feet(count: int, note: str | None) -> str:
    feet = (f"<div><p><span>{note or ''}</span><span>{number}</span></p></div>" for number in range(1, count + 1))
    return FOOT.format(feet="".join(feet))


def _number(writer: "PdfWriter", feet: bytes) -> None:
    from pypdf import PdfReader

    for page, foot in zip(writer.pages, PdfReader(BytesIO(feet)).pages, strict=False):
        page.merge_page(foot)


def _lead_within(writer: "PdfWriter", address: str, starts: dict[str, int]) -> None:
    """Let links to other pages of the site lead to the chapter; a link to another file of it leads nowhere."""
    from pypdf.generic import ArrayObject, Fit, NameObject

    for page in writer.pages:
        kept = []
        for annotation in (reference.get_object() for reference in page.get("/Annots", ())):
            url = str(annotation.get("/A", {}).get("/URI", ""))
            if url.startswith(address):
                target = unquote(urldefrag(url).url).removeprefix(address).removesuffix(".html")
                if target not in starts:
                    continue
                where = writer.pages[starts[target]].indirect_reference
                annotation[NameObject("/Dest")] = ArrayObject([where, NameObject(Fit.fit().fit_type)])
                del annotation["/A"]
            kept.append(annotation)
        if "/Annots" in page:
            page[NameObject("/Annots")] = ArrayObject(kept)
