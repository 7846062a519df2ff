"""The site in Chromium: it works with the network unplugged, on a phone, in the dark; each check can fail.

Skipped where there is no Chromium, unless TRAUNET_BROWSER=required (or CI is set): then that is a failure.
"""

import os
import shutil

import browser as look
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_output
from projects import chapter, figure_cell, workspace, write_executed, write_project, write_sealed

from traunet.book import publish, trimming
from traunet.book.chromium import NoBrowserError, browser, browser_path, served

PAGE = "book/intro.html"
TABLE = """<style scoped>.dataframe thead th { text-align: right; }</style><table border="1" class="dataframe">
<thead><tr style="text-align: right;"><th></th><th>F1</th><th>change</th></tr>
<tr><th>network</th><th></th><th></th></tr></thead>
<tbody><tr><th>middle</th><td>51.3 %</td><td>+1.2</td></tr><tr><th>none</th><td>–</td><td>–</td></tr>
<tr><th>best</th><td>100.0 %</td><td>−3.4</td></tr>
<tr><th>least</th><td>9.9 %</td><td>+0.5</td></tr></tbody></table>"""
SPANS = """<table border="1" class="dataframe"><thead><tr><th>source</th><th>network</th><th>F1</th></tr></thead>
<tbody><tr><th rowspan="2">ours</th><th>a</th><td>1</td></tr><tr><th>b</th><td>3</td></tr>
<tr><th>printed</th><th>a</th><td>2</td></tr></tbody></table>"""
INTRO = """# Intro

The whole network reaches {res}`table2.tranet.pooled.Avg:.1f` on average, on $x^2$ unseen heads.

$$ \\mathcal{L} = \\sum_{i=1}^{8} \\frac{w_i}{\\sqrt{2\\pi}} \\Big[ p_i \\log \\hat p_i \\Big] \\in \\mathbb{R},
\\qquad \\boldsymbol{\\theta}, \\cancel{x}, \\text{where } f \\otimes g $$

![Heads](_static/action_units.png)

| long | words |
|---|---|
| with_a_word_that_does_not_break_anywhere_at_all | and_another_one_of_the_same_kind_just_as_long |

```{cite-this} xia2020upper
```

The paper {cite}`xia2020upper` and its book:

```{bibliography}
:cited:
```
"""


@pytest.fixture(scope="module")  # Playwright opens one browser at a time, and other modules need theirs
def chromium():
    try:
        browser_path()
    except NoBrowserError as error:
        if os.environ.get("TRAUNET_BROWSER") == "required" or os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    source = chapter(figure_cell("1 + 1"), new_code_cell("2 + 2"), new_code_cell("3 + 3"))
    source.cells[2].metadata["mystnb"]["image"] = {"alt": "One pixel"}
    project, done = write_project(root / "project", INTRO, source), workspace(root)
    (project / "book" / "below.md").write_text(
        "# Below\n\nA page that the table of contents folds away, with some words on it, and $y^2$.\n"
    )
    toc = project / "_toc.yml"
    toc.write_text(f"{toc.read_text()}    sections:\n      - file: book/below\n")
    path = write_executed(done, project / "notebooks" / "01_data.ipynb")
    notebook = nbformat.read(path, as_version=4)
    for cell, html in zip(notebook.cells[-2:], (TABLE, SPANS), strict=True):
        cell.outputs = [new_output("execute_result", {"text/html": html}, execution_count=cell.execution_count)]
    write_sealed(notebook, path)
    return publish.publish(done, project)


@pytest.fixture
def spoilt(site, tmp_path):
    """A copy of the site of which a test may spoil a page: `spoilt(html)` puts that at the article's end."""

    return lambda html="": spoil(shutil.copytree(site, tmp_path / "site", dirs_exist_ok=True), html)


def spoil(site, html):
    file = site / PAGE
    file.write_text(file.read_text().replace("</article>", html + "</article>"))
    return site


def faults_of(chromium, site, page=PAGE, view=(look.PHONE, "light")):
    with served(site) as address:
        seen = look.visit(chromium, address, page, None, (view,))
        return seen.faults + look.broken_links(site, address, {page: seen})


@pytest.mark.parametrize("view", look.VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")
@pytest.mark.parametrize("page", [PAGE, "notebooks/01_data.html"])
def test_a_page_works_without_the_network_on_a_phone_and_on_a_desk_by_day_and_by_night(chromium, site, page, view):
    assert faults_of(chromium, site, page, view) == []


SPOILT = [  # what is put on a page, and what is said of it
    ("<img src='https://example.org/x.png' alt='A face'>", "asks the network for https://example.org/x.png"),
    ("<script>fetch('https://example.org/asked')</script>", "asks the network for https://example.org/asked"),
    ("<script>console.error('oh')</script>", "console error: oh"),
    ("<script>undefinedName()</script>", "script error: undefinedName is not defined"),
    ("<script src='lost.js'></script>", "misses book/lost.js (404)"),
    ("<a href='lost.html'>lost</a>", "links to book/lost.html, which is not there"),
    ("<a href='#lost'>lost</a>", "links to book/intro.html#lost, and there is no such place"),
    ("<img src='intro.html' alt='A face'>", "shows the picture book/intro.html, which does not load"),
    ("<img src='../_static/action_units.png'>", "_static/action_units.png without alternative"),
    ("<img src='../_images/action_units.png' alt='heads.png'>", "_images/action_units.png without alternative"),
    ("<div style='width: 900px'>wide</div>", "scrolls sideways at 390 px"),
    ("<button></button>", "axe, critical: button-name"),
    ("<p style='color: #eee; background: #fff'>faint words</p>", "axe, serious: color-contrast"),
    ("<span class='math'>\\(x</span>", "1 formulas are not set"),
]


@pytest.fixture(scope="module")
def found_out(chromium, site, tmp_path_factory):
    """What is said of one page on which all of that is wrong; a page for each would take seconds each."""
    copy = shutil.copytree(site, tmp_path_factory.mktemp("spoilt") / "site")
    return faults_of(chromium, spoil(copy, "".join(html for html, _ in SPOILT)))


@pytest.mark.parametrize("fault", [fault for _, fault in SPOILT])
def test_a_page_that_is_spoilt_is_found_out(found_out, fault):
    assert any(fault in one for one in found_out), found_out


def test_a_font_that_is_trimmed_by_mistake_is_missed(chromium, spoilt):
    site = spoilt()
    for font in site.rglob("MathJax_Math-Italic.woff"):
        font.unlink()
    assert any("MathJax_Math-Italic.woff (404)" in fault for fault in faults_of(chromium, site))


def test_search_finds_a_word_of_a_title_and_an_empty_index_is_found_out(chromium, spoilt):
    site = spoilt()
    with served(site) as address:
        assert look.search_faults(chromium, address, site) == []
        (site / "searchindex.js").write_text(
            'Search.setIndex({"docnames":[],"filenames":[],"titles":[],"terms":{},'
        )
        assert look.search_faults(chromium, address, site)[0].startswith("search: ")


def test_dark_mode_switches_and_a_page_without_its_button_is_found_out(chromium, spoilt):
    site = spoilt()
    with served(site) as address:
        assert look.dark_mode_faults(chromium, address, PAGE) == []
        file = site / PAGE
        file.write_text(file.read_text().replace("theme-switch-button", "lost-button"))
        assert look.dark_mode_faults(chromium, address, PAGE) == ["dark mode: the page stays light"]


def test_no_page_names_what_would_run_cells_elsewhere(site):
    assert not [page.name for page in site.rglob("*.html") if "thebe" in page.read_text().lower()]


def test_what_no_page_loads_is_not_shipped_and_nothing_is_left_to_trim(site):
    assert look.megabytes(site) < 6
    assert trimming.trim(site) == 0


def test_mathjax_is_loaded_where_there_is_a_formula_and_not_on_the_page_above(site):
    pages = {"book/intro": True, "notebooks/01_data": False, "book/below": True}
    assert {page: "tex-chtml.js" in (site / f"{page}.html").read_text() for page in pages} == pages


def test_the_index_of_the_search_is_loaded_where_one_searches_and_nowhere_else(site):
    asking = {page.name for page in site.rglob("*.html") if "searchindex.js" in page.read_text()}
    assert asking == {"search.html"}


def test_every_picture_leads_to_its_own_file_by_a_link_that_says_what_it_shows(chromium, site):
    with served(site) as address, look.opened(chromium, address, look.Visit(), look.PHONE, "light") as tab:
        for page in (PAGE, "notebooks/01_data.html"):
            tab.goto(address + page)
            look.settle(tab)
            pictures = tab.locator("article img")
            assert pictures.count()
            where = "all => all.map((picture) => [picture.src, picture.closest('a')?.href])"
            for source, target in pictures.evaluate_all(where):
                assert source == target
        assert tab.get_by_role("link", name="One pixel").count() == 1


@pytest.fixture
def tab(chromium, site):
    with served(site) as address, look.opened(chromium, address, look.Visit(), look.DESK, "light") as page:
        page.goto(f"{address}notebooks/01_data.html")
        yield page


def rows(tab, table: int) -> list[str]:
    body = tab.locator("article table").nth(table).locator("tbody tr")
    return [" ".join(text.split()) for text in body.all_inner_texts()]


def test_a_table_sorts_by_its_numbers_by_keyboard_and_back(tab):
    head = tab.locator("article table").nth(0).locator("thead th")
    assert head.all_inner_texts() == ["network", "F1", "change"]
    first = rows(tab, 0)
    head.nth(1).get_by_role("button").focus()
    for names, state in (
        (["best", "middle", "least", "none"], "descending"),
        (["least", "middle", "best", "none"], "ascending"),
    ):
        tab.keyboard.press("Enter")
        assert [row.split()[0] for row in rows(tab, 0)] == names
        assert head.nth(1).get_attribute("aria-sort") == state
    tab.keyboard.press("Enter")
    assert rows(tab, 0) == first
    head.nth(2).get_by_role("button").click()
    assert [row.split()[0] for row in rows(tab, 0)] == ["middle", "least", "best", "none"]


def test_heads_stand_above_their_words_on_the_left_and_above_their_numbers_on_the_right(tab):
    heads = tab.locator("article table").nth(0).locator("thead th")
    sides = heads.evaluate_all("heads => heads.map((head) => getComputedStyle(head).textAlign)")
    assert sides == ["left", "right", "right"]


def test_words_that_begin_with_a_digit_are_no_numbers(chromium, spoilt):
    cells = "".join(f"<tr><td>{text}</td><td>{number}</td></tr>" for text, number in (("1, F1", 2), ("2, F1", 3)))
    site = spoilt(f"<table><thead><tr><th>Table</th><th>n</th></tr></thead><tbody>{cells}</tbody></table>")
    with served(site) as address, look.opened(chromium, address, look.Visit(), look.DESK, "light") as tab:
        tab.goto(address + PAGE)
        last = tab.locator("article table").last.locator("thead th")
        assert ["number" in (head.get_attribute("class") or "") for head in last.all()] == [False, True]


def test_a_row_keeps_the_head_that_it_shared_when_a_table_is_sorted(tab):
    tab.locator("article table").nth(1).locator("thead th").nth(2).get_by_role("button").click()
    assert rows(tab, 1) == ["ours b 3", "printed a 2", "ours a 1"]


def test_the_box_for_citing_copies_what_the_projects_files_say(chromium, site):
    text = (site / PAGE).read_text()
    assert "cite-this" in text
    with served(site) as address, look.opened(chromium, address, look.Visit(), look.DESK, "light") as tab:
        tab.goto(address + PAGE)
        box = tab.locator(".cite-this")
        assert "@software{traunet" in box.inner_text()
        assert "2002.04023" in box.inner_text()
        assert box.locator("button.copybtn").count() == 1
