"""Bad notebooks and pages."""

from pathlib import Path

import nbformat
from mishaps import Attempt, call, mishap
from nbformat.v4 import new_code_cell, new_output
from projects import PARAMETERS, chapter, executed, figure_cell, workspace, write_executed, write_project

from traunet.book import chapters, publish
from traunet.scoring import results

NOTEBOOK, BOOK = "notebook", "book"


def executing(
    folder: Path, *cells: nbformat.NotebookNode, metadata: dict | None = None, **given: object
) -> Attempt:
    notebook = chapter(*cells)
    notebook.metadata.update(metadata or {})
    nbformat.write(notebook, folder / "01_data.ipynb")
    return call(chapters.execute, folder / "01_data.ipynb", folder / "out" / "01_data.ipynb", given, {})


@mishap(NOTEBOOK)
def a_cell_fails(folder):
    return executing(folder, new_code_cell("1 / 0"), profile="smoke")


@mishap(NOTEBOOK)
def an_unknown_parameter(folder):
    return executing(folder, new_code_cell("1"), epochs=3)


@mishap(NOTEBOOK)
def no_notebook(folder):
    (folder / "01_data.ipynb").write_text("no JSON")
    return call(chapters.execute, folder / "01_data.ipynb", folder / "out.ipynb", {}, {})


@mishap(NOTEBOOK)
def one_that_asks_for_another_program(folder):
    kernel = {"kernelspec": {"name": "bash", "language": "bash", "display_name": "Bash"}}
    return executing(folder, new_code_cell("1"), metadata=kernel)


def showing(folder: Path, **data: str) -> Attempt:
    source = chapter(new_code_cell("show()"))
    done = executed(source)
    done.cells[-1].outputs = [new_output("display_data", data)]
    return call(chapters.check, done, source, folder / "01_data.ipynb", PARAMETERS)


@mishap(NOTEBOOK)
def a_page_that_would_run_a_script(folder):
    return showing(folder, **{"text/html": "<script>alert(1)</script>"})


@mishap(NOTEBOOK)
def a_drawing_that_would_run_a_script(folder):
    drawing = "<svg><style><img src=x onerror=alert(1)></style></svg>"
    return showing(folder, **{"image/svg+xml": drawing})


def site_of(folder: Path, notebook: nbformat.NotebookNode | None = None) -> tuple[Path, Attempt]:
    notebook = notebook or chapter(figure_cell("1 + 1"))
    project, done = write_project(folder / "project", notebook=notebook), workspace(folder)
    write_executed(done, project / "notebooks" / "01_data.ipynb")
    done.results()
    return project, call(publish.publish, done, project)


@mishap(BOOK)
def a_number_that_nobody_computed(folder):
    project, attempt = site_of(folder)
    (project / "book" / "intro.md").write_text("# Intro\n\n{res}`table9.none` is a number that nobody computed.\n")
    return attempt


@mishap(BOOK)
def a_table_that_nobody_made(folder):
    project, attempt = site_of(folder)
    table = "```{csv-table} None\n:file: ../results/table9.csv\n```\n"
    (project / "book" / "intro.md").write_text(f"# Intro\n\nA table that nobody made follows here.\n\n{table}")
    return attempt


@mishap(BOOK)
def a_page_without_a_source(folder):
    project, attempt = site_of(folder)
    with (project / "_toc.yml").open("a") as toc:
        toc.write("  - file: book/lost\n")
    return attempt


@mishap(BOOK)
def a_page_from_outside_of_the_project(folder):
    project, attempt = site_of(folder)
    with (project / "_toc.yml").open("a") as toc:
        toc.write("  - file: ../../secret\n")
    return attempt


@mishap(BOOK)
def settings_that_would_run_a_program(folder):
    project, attempt = site_of(folder)
    with (project / "_config.yml").open("a") as config:
        config.write(f'other: !!python/object/apply:os.mkdir ["{folder / "ran"}"]\n')
    return attempt


@mishap(BOOK)
def a_notebook_that_was_not_executed(folder):
    _, attempt = site_of(folder)
    (folder / "build" / "smoke" / "notebooks" / "01_data.ipynb").unlink()
    return attempt


def site_of_edited(folder, place, before, after):
    _, attempt = site_of(folder)
    file = folder / "build" / "smoke" / place
    file.write_text(file.read_text().replace(before, after))
    return attempt


@mishap(BOOK)
def results_that_were_edited(folder):
    return site_of_edited(folder, "results/results.json", "51.26", "91.26")


@mishap(BOOK)
def an_executed_notebook_that_was_edited(folder):
    return site_of_edited(folder, "notebooks/01_data.ipynb", "<Figure>", "<Figure of more>")


@mishap(BOOK)
def results_that_are_none(folder):
    (folder / "results.json").write_text('{"table2": 51.3}')
    return call(results.read, folder / "results.json")
