"""Nothing that a browser would run becomes part of a page, however it is spelt; tables and drawings do."""

import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_output
from projects import PARAMETERS, chapter, executed

from traunet.book import chapters
from traunet.figures import displaying


@pytest.mark.parametrize(
    "data",
    [
        {"text/html": "<p>x</p><SCRIPT src=x></SCRIPT>"},
        {"text/html": "<img src=x onerror = 'steal()'>"},
        {"text/markdown": "[click](javascript:steal())"},
        {"text/html": "<iframe srcdoc='x'></iframe>"},
        {"image/svg+xml": "<svg onload=steal()></svg>"},
        {"text/html": "<svg/onload=steal()>"},
        {"text/html": "<img src='x'onerror=steal()>"},
        {"text/html": "<a href='java&#115;cript:steal()'>x</a>"},
        {"text/html": "<a href=' java\nscript:steal()'>x</a>"},
        {"text/html": "<a href='data:text/html,x'>x</a>"},
        {"application/javascript": "steal()"},
        {"text/html": "<svg><style><img src=x onerror=steal()></style></svg>"},
        {"text/html": "<svg><style><a href='java&#115;cript:steal()'></a></style></svg>"},
        {"image/svg+xml": "<svg><style><x y='</style><img alt=\">\" src=x onerror=steal()>'></style></svg>"},
        {"text/html": "<!--><img src=x onerror=steal()>-->"},
        {"text/html": "<!--><img alt='>' src=x onerror=steal()>-->"},
        {"text/html": "<!-- --!><img alt='>' src=x onerror=steal()> -->"},
        {"text/html": "<!---><img alt='>' src=x onerror=steal()>-->"},
        {"text/html": "<![CDATA[><img alt='>' src=x onerror=steal()>]]>"},
        {"text/html": "<?x ><img alt='>' src=x onerror=steal()>?>"},
        {"text/html": "<title></x y='</title><img alt=\">\" src=x onerror=steal()>'></title>"},
        {"text/html": "<title><x y='</title><img alt=\">\" src=x onerror=steal()>'></title>"},
        {"text/html": "<img alt='>' src=x onerror=steal() title='"},
        {"text/markdown": "`<img src=x onerror=steal()"},
        {"text/markdown": "> x <details open\n> ontoggle='steal()'>"},
        {"text/markdown": "see [here](jav&#97;script:steal())"},
        {"text/markdown": "$\\href{https://example.org}{x}$"},
        {"text/latex": "$\\href{java\nscript:steal()}{x}$"},
        {"text/latex": "$\\require{html}$"},
        {"text/html": "<div class='math'>\\(\\href{java\tscript:steal()}{x}\\)</div>"},
        {"text/html": "<div class='math'>\\(&#92;href{java&Tab;script:steal()}{x}\\)</div>"},
        {"image/svg+xml": "<svg><animate attributeName='href' values='#;java&#115;cript:steal()'/></svg>"},
    ],
)
def test_what_a_browser_would_run_is_no_output_of_a_page(data):
    source = chapter(new_code_cell("show()"))
    done = executed(source)
    done.cells[-1].outputs = [new_output("display_data", data)]
    assert chapters.faults(done, source, PARAMETERS) == ["code cell 3 shows something that a browser would run"]


def drawing() -> Figure:
    figure = Figure()
    figure.subplots().set_title("on = 1 < 2 > 1 -- a 'title' \"with\" & all")
    return figure


def test_tables_sums_and_drawings_are_harmless():
    source = chapter(new_code_cell("show()"))
    done = executed(source)
    data = {
        "text/html": "<style>a > b {}</style><table><td>1 on = 2, 1 &lt; 2</td></table>",
        "text/latex": r"$\\hat{y} < 1$",
        "text/markdown": "> 1 < 2\n> on = 2\n\nJava script: Less < more, [more](https://example.org/on=1) on = 3.",
        "text/plain": "<script> on x = 1",
        "image/svg+xml": displaying.shown(drawing())[0]["image/svg+xml"],
    }
    done.cells[-1].outputs = [new_output("display_data", data)]
    assert chapters.faults(done, source, PARAMETERS) == []
