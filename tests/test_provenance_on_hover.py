"""The book's own role and directives: every number tells where it comes from: to eye, ear and keyboard."""

import importlib.util
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from fakes import fake_runs

from traunet import report
from traunet.config import VARIANTS
from traunet.scoring import origins
from traunet.scoring.results import Number
from traunet.workspace import PROJECT

EXTENSIONS = PROJECT / "book" / "_ext"
PAGE = """# A page

{res}`table2.tranet.pooled.Avg:.1f`, {res}`published.table2.senet.Avg:.1f`, {res}`summary.order_agreement:.2f`

```{scoreboard} hard_masks highest_f1
```

```{scoreboard}
```

```{reproduced}
```

```{sidebyside} table1 accuracy
```

```{sidebyside} table2
```

```{tolerances}
```
"""


def load(name):
    """A module of the book's extensions, without putting their folder on the path of every test."""
    spec = importlib.util.spec_from_file_location(f"book_{name}", EXTENSIONS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(folder, text):
    """Build one page with the extensions alone, as Sphinx sees it; (exit status, what it said, the page)."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "index.md").write_text(text)
    (source / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(EXTENSIONS)!r})\n"
        "extensions = ['myst_parser', 'results', 'scoreboard']\nresults_file = '../results/results.json'\n"
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-W", "--keep-going", source, folder / "html"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    page = folder / "html" / "index.html"
    return done.returncode, done.stderr, BeautifulSoup(page.read_text() if page.is_file() else "", "html.parser")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("book")
    report.write(fake_runs(), root / "results", profile="smoke", dataset="synthetic DISFA")
    return root


@pytest.fixture(scope="module")
def page(folder):
    status, said, page = build(folder, PAGE)
    assert (status, said) == (0, "")
    return page


def told(page, key):
    return [
        one["aria-description"] for one in page.select(".result") if one["aria-description"].startswith(f"{key};")
    ]


def test_a_number_tells_its_data_profile_runs_and_code(page):
    runs = ", ".join(f"tranet-fold{fold}-abc" for fold in (1, 2, 3))
    words = f"table2.tranet.pooled.Avg; synthetic DISFA, profile smoke; from {runs}; code c0de"
    assert told(page, "table2.tranet.pooled.Avg")[0] == words


def test_many_runs_are_counted_and_a_printed_number_says_that_it_is_printed(page):
    assert "from 24 runs of 8 networks; code c0de" in told(page, "summary.order_agreement")[0]
    assert "from 6 runs of senet_cbam and tranet;" in told(page, "differences.senet_cbam.value.Avg")[0]
    assert told(page, "published.table2.senet.Avg")[0].endswith("; printed in the paper")
    apart = origins.origin("published.differences.senet.Avg", Number(-8.0, (), "DISFA", "published"))
    assert apart.endswith("; recomputed from what the paper prints")
    assert told(page, "published.recomputed.best.f1.AU1")[0].endswith("; recomputed from what the paper prints")


def test_every_number_is_reached_by_the_keyboard_and_described_to_a_reader_of_the_screen(page):
    numbers = page.select(".result")
    assert len(numbers) > 200
    for number in numbers:
        assert number["tabindex"] == "0"
        assert number["aria-description"]
        assert not number.has_attr("title")  # which neither keyboard nor finger can show


def test_a_long_hash_is_shortened_and_mixed_code_is_told():
    mixed = Number(1.0, ("a",), "D", "p", ("0123456789ab", "ba9876543210"))
    assert origins.origin("key", mixed) == "key; D, profile p; from a; code 01234567, ba987654"


def test_a_number_that_a_notebook_quotes_or_computes_tells_the_same():
    numbers = {"differences.senet.value.Avg": Number(-8.43, ("a-fold1-0",), "D", "p", ("c0de",))}
    run = SimpleNamespace(name="a-fold1-0", code="c0de", provenance={"dataset": "D"})
    quoted = origins.quoted(numbers, "differences.senet.value.Avg", "+.1f", sign=-1)
    computed = origins.computed("0.5 < 1", [run], "p")  # pyright: ignore
    spans = [BeautifulSoup(html, "html.parser").select_one("span.result") for html in (quoted, computed)]
    assert [span and span.get_text() for span in spans] == ["+8.4", "0.5 < 1"]
    told = [str(span["aria-description"]).partition("; ") for span in spans if span]
    assert [key for key, _, _ in told] == ["differences.senet.value.Avg", "computed on this page"]
    assert {rest for _, _, rest in told} == {"D, profile p; from a-fold1-0; code c0de"}


def rows(page, kind):
    table = page.select_one(f"table.{kind}")
    assert "sortable" in table["class"]
    return [[cell.get_text(" ", strip=True) for cell in row.select("th, td")] for row in table.select("tr")]


def test_every_printed_number_has_ours_the_difference_the_tolerance_and_the_verdict_beside_it(page, folder):
    head, *body = rows(page, "reproduced")
    assert head[3:] == ["Printed", "Ours", "Difference", "Tolerance", "Verdict"]
    judged = pd.read_csv(folder / "results" / "verdicts.csv")
    assert len(body) == len(judged) == 72
    for shown, row in zip(body, judged.to_dict("records"), strict=True):
        assert shown[1:3] == [VARIANTS[row["variant"]].title, row["score"]]
        assert [float(cell) for cell in shown[3:7]] == pytest.approx(
            [row["published"], row["ours"], row["difference"], row["tolerance"]], abs=0.0501
        )
        assert shown[7] == row["verdict"] == "not comparable"


def test_the_scoreboard_shows_the_claims_asked_for_or_all(page, folder):
    some, every = page.select("table.scoreboard")
    assert len(some.select("tbody tr")) == 2
    assert len(every.select("tbody tr")) == len(pd.read_csv(folder / "results" / "claims.csv"))
    assert "After removing the hard mask module" in some.get_text()
    assert "{" not in every.get_text()
    assert [cell.get_text() for cell in some.select(".verdict")] == ["not comparable", "does not hold"]


def test_the_best_of_each_column_is_marked_among_rows_that_compare(page):
    printed = [row for row in page.select("table.sidebyside")[1].select("tbody tr") if "paper" in row.get_text()]
    best = [cell.get_text(strip=True) for row in printed for cell in row.select(".best")]
    assert sorted(best) == sorted(["56.9", "61.5", "72.6", "47.3", "55.1", "72.3", "90.2", "41.0", "59.0"])
    accuracy = page.select("table.sidebyside")[0].select("tbody tr")
    assert not any(row.select(".best") for row in accuracy if "this book" in row.get_text())


def test_a_score_that_is_not_defined_is_said_to_be_in_words():
    number = {"value": None, "runs": ["a"], "dataset": "D", "profile": "p", "code": []}
    sys.path.insert(0, str(EXTENSIONS))
    try:
        cell = load("scoreboard").shown("key", {"key": number})
    finally:
        sys.path.remove(str(EXTENSIONS))
    assert [node.astext() for node in cell] == ["undefined"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{res}`table9.none:.1f`", "no number 'table9.none:.1f' in results.json"),
        ("```{scoreboard} nobody_said\n```", "no claim nobody_said in claims.csv; it has: full_f1"),
        ("```{sidebyside} table3\n```", "no table table3 f1; choose table1 f1, table1 accuracy or table2"),
    ],
)
def test_what_is_not_among_the_results_fails_the_build(folder, tmp_path, text, said):
    (tmp_path / "results").symlink_to(folder / "results")
    status, words, _ = build(tmp_path, f"# A page\n\n{text}\n")
    assert status != 0
    assert said in words


def test_results_of_an_older_library_are_named(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "results.json").write_text(json.dumps({}))
    status, words, _ = build(tmp_path, "# A page\n\n```{scoreboard}\n```\n")
    assert status != 0
    assert "claims.csv is not among the results; make them again: traunet tables" in words
