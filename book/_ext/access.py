"""What the theme and docutils leave unsaid to readers who hear the page."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

TOGGLE, NAMED = "<summary>", '<summary aria-label="the pages below">'
LIST, PLAIN = '<div role="list" class="citation-list">', '<div class="citation-list">'


def name_toggles(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Name the arrows that fold the table of contents: they are icons, and say nothing."""
    toctree = context.get("generate_toctree_html")
    if toctree:
        context["generate_toctree_html"] = lambda *given, **named: str(toctree(*given, **named)).replace(
            TOGGLE, NAMED
        )


def begin_reference(translator: HTML5Translator, node: nodes.citation) -> None:
    """Put no list around references: they are entries of a bibliography, and a list asks for items."""
    before = len(translator.body)
    HTML5Translator.visit_citation(translator, node)
    translator.body[before:] = [part.replace(LIST, PLAIN) for part in translator.body[before:]]


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", name_toggles, priority=900)
    app.add_node(nodes.citation, override=True, html=(begin_reference, HTML5Translator.depart_citation))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
