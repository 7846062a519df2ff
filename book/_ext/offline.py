"""The site works with the network unplugged: what would ask it, or ship much for nothing, is on no page.

Jupyter Book always loads sphinx-thebe, which runs cells on a server elsewhere. The theme ships its icons as a font
and once more as a script of 1.5 MB, and loads the search's index on every page; `templates/` keeps the font, and
the index where one searches.
"""

from pathlib import Path

from sphinx.application import Sphinx

REMOTE = "sphinx_thebe"
# They do not say whether they are safe on several cores. Both work when all pages are read, in the main process:
# the first copies files at the end, the other numbers the sections of all pages.
SAFE = {"sphinx-mathjax-offline", "sphinx_multitoc_numbering"}
HERE = Path(__file__).parent


def leave_out(app: Sphinx, config) -> None:
    """Forget what sphinx-thebe asked for, and put our templates before the theme's."""
    for name, listeners in app.events.listeners.items():
        app.events.listeners[name] = [one for one in listeners if not one.handler.__module__.startswith(REMOTE)]
    app.registry.css_files = [file for file in app.registry.css_files if "thebe" not in file[0]]
    for name in SAFE & app.extensions.keys():
        app.extensions[name].parallel_read_safe = True
    config.templates_path.append(str(HERE / "templates"))
    config.html_context.setdefault("default_mode", "auto")  # else the theme's own script complains


def spare_mathjax(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Load no MathJax where nothing is to be set: Sphinx asks for it on each page above one with a formula."""
    if not app.env.get_domain("math").data["has_equations"].get(page):
        context["script_files"][:] = [file for file in context["script_files"] if not _mathjax(file)]


def _mathjax(script) -> bool:
    return "MathJax" in script.attributes.get("body", "") or "mathjax" in str(script.filename)


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", leave_out, priority=999)
    app.connect("html-page-context", spare_mathjax, priority=900)
    app.add_css_file("site.css")
    app.add_js_file("tables.js", defer="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
