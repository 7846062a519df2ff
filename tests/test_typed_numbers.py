"""No number of a result is typed by hand: the book as it is passes, and one that is typed stops the build."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from projects import chapter, figure_cell, workspace, write_executed, write_project

from traunet.book import prose, publish
from traunet.book.prose import ALLOWED, REPORTING, TypedNumberError, faults, refuse_typed_numbers, typed
from traunet.workspace import PROJECT


def test_the_book_types_no_number_of_a_result():
    refuse_typed_numbers(PROJECT)


def test_the_pages_that_report_results_are_among_the_books_pages():
    assert set(REPORTING) - {"book/model_card"} <= set(publish.pages(PROJECT))


def numbers_in(text, page="book/intro"):
    return [number for _, number in typed(text, page)]


@pytest.mark.parametrize(
    "text",
    [
        "TRA-Net reaches 54.3 % here.",
        "TRA-Net reaches 54.3\n% here.",
        "It reaches 54% on average.",
        "It reaches 54 per cent.",
        "It reaches **54.3** at best.",
        "It reaches **54** % here.",
        "It reaches $54\\,\\%$ here.",
        "It loses 3 points without masks.",
        "Its F1 is 54 here.",
        "a mean of 54",
        "For 6 of the eight AUs it lies above.",
        "For 6 of 8 AUs it lies above.",
        "The code `54.3` is prose too.",
        "| a cell | 54.3 |",
        "{abbr}`54.3 %`",
        "```{note}\nIt reaches 54.3 %.\n```",
        "```{figure} a.png\n:alt: bars up to 54.3 %\nA caption.\n```",
        "0,543 of them",
    ],
)
def test_a_typed_result_is_found(text):
    assert numbers_in(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("It reaches fifty-nine percent on average.", "fifty-nine percent"),
        ("It reaches fifty nine\nper cent.", "fifty nine\nper cent"),
        ("Fifty-nine point three, on average.", "Fifty-nine point"),
        ("It loses three points without masks.", "three points"),
        ("It loses three percentage points.", "three percentage points"),
        ("a three-point loss", "three-point"),
        ("It gains two F1 points.", "two F1 points"),
        ("It gains two and a half points.", "two and a half points"),
        ("They lie half a point apart.", "half a point"),
        ("They lie a tenth of a point apart.", "tenth of a point"),
        ("between two and three points", "three points"),
        ("It is right in a hundred percent.", "hundred percent"),
        ("nineteen % of them", "nineteen %"),
        ("It reaches **fifty-nine** percent.", "fifty-nine** percent"),
        ("an F1 of fifty-nine", "F1 of fifty-nine"),
        ("Its accuracy is **ninety** here.", "accuracy is **ninety"),
    ],
)
def test_a_score_or_a_difference_in_words_is_found(text, number):
    assert numbers_in(text) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "three branches, eight AUs and two cores",
        "For six of the eight AUs it lies above.",
        "Twenty-seven people, in three folds of nine",
        "a mean of eight AUs, the average of the three folds",
        "Chance moves it by points, by a point or two, by some percent.",
        "The three landmarks point down.",
        "Two pointers, one percentile, the thirty pointed ears",
        "the accuracy of two networks",
        "For more than one half of the frames it says no.",
        "One figure points at the mouth.",
    ],
)
def test_words_that_count_are_left_alone(text):
    assert not numbers_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "{res}`table1.tranet.f1.pooled.Avg:.1f` % on average",
        "the 95 % interval over people, or 95 %\nintervals",
        "in section 4.1, and in sections 4.2",
        "Table 1, AU12, equation 4, an intensity of 3 or more, 27 people, 24 runs",
        "[a page](https://example.org/v1.2/54.3) and <https://example.org/54.3>",
        "```\ntraunet bench --share 0.5\n```",
        "```{figure} a.png\n:width: 54.3%\nA caption.\n```",
        "{numref}`fig-54.3`",
        "<!-- 54.3 % -->",
    ],
)
def test_what_is_no_typed_result_is_left_alone(text):
    assert not numbers_in(text)


def test_a_number_is_named_with_its_line():
    assert typed("# A page\n\nIt says\n54.3 % here.\n") == [(4, "54.3")]
    assert typed("```\n1.5\n```\n\n:width: 1.5\n\nIt says\n54.3 % here.\n") == [(8, "54.3")]


def test_prose_between_two_directives_and_after_a_block_of_code_is_searched():
    directive, code = "```{figure} a.png\nA caption.\n```\n", "```\n1.5\n```\n"
    for before in (directive, code, f"````{{note}}\n{code}````\n", f":::{{note}}\n{directive}:::\n"):
        text = f"{before}It reaches 54.3 %.\n{directive}Then three points less.\n"
        assert [number for _, number in typed(text)] == ["54.3", "three points"], before


def test_an_exception_holds_for_its_own_page_alone():
    text = "its average would follow if the cell were 8.5"
    assert not numbers_in(text, "notebooks/04_table1")
    assert numbers_in(text, "book/intro")


def test_every_exception_has_a_reason_and_allows_no_bare_number():
    assert all(len(reason) > 15 for _, _, reason in ALLOWED)
    assert {page for page, _, _ in ALLOWED} - {""} <= set(REPORTING)
    for number in ("54.3 %", "8.5", "4.1", "95.0 %", "95 %"):
        assert numbers_in(f"it is {number} here", "notebooks/04_table1")


def notebook_faults(tmp_path, *cells):
    (tmp_path / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=list(cells)), tmp_path / "notebooks" / "04_table1.ipynb")
    return faults(tmp_path, "notebooks/04_table1")


def test_a_notebooks_prose_captions_alternative_texts_and_words_are_searched(tmp_path):
    figure = {"figure": {"caption": "Up to 54.3 %."}, "image": {"alt": "Bars up to 55.3 %."}}
    found = notebook_faults(
        tmp_path,
        new_markdown_cell("It says\nnothing but 51.3 %."),
        new_code_cell('Markdown("It loses three points.")'),
        new_code_cell('Markdown(f"It reaches 52.3 % or {x:.1f} %.")'),
        new_code_cell("draw()", metadata={"mystnb": figure}),
        new_code_cell("share = 0.25  # of the whole\nnp.allclose(a, b, atol=1e-3)"),
    )
    assert found == [
        "notebooks/04_table1.ipynb, cell 1, line 2: '51.3'",
        "notebooks/04_table1.ipynb, cell 2, in its words: 'three points'",
        "notebooks/04_table1.ipynb, cell 3, in its words: '52.3'",
        "notebooks/04_table1.ipynb, cell 4, in its caption: '54.3'",
        "notebooks/04_table1.ipynb, cell 4, in its alternative text: '55.3'",
    ]


def test_a_number_typed_by_hand_fails_the_build_and_the_former_site_stays(tmp_path):
    source = chapter(figure_cell("1 + 1"))
    project, done = write_project(tmp_path / "project", notebook=source), workspace(tmp_path)
    write_executed(done, project / "notebooks" / "01_data.ipynb")
    former = done.folder / "site" / "html"
    former.mkdir(parents=True)
    (project / "book" / "intro.md").write_text("# Intro\n\nThe whole network reaches 54.3 % on average.\n")
    with pytest.raises(TypedNumberError, match=r"book/intro\.md, line 3: '54\.3'.*\{res\}`key:\.1f`.*ALLOWED"):
        publish.publish(done, project)
    assert former.is_dir()


def test_the_advice_names_the_module_that_holds_the_exceptions():
    assert "traunet/book/prose.py" in prose.ADVICE
