"""Every picture of a page leads to the picture alone, where a reader on a phone can enlarge it.

Sphinx does this for pictures with a width; drawings have none.
"""

import posixpath

from docutils import nodes
from sphinx.application import Sphinx

SAID = "the picture alone, to enlarge it"


def link_pictures(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put a link to its file around each picture that is no link yet."""
    if app.builder.format != "html":
        return
    up = posixpath.relpath(app.builder.imagedir, posixpath.dirname(page) or ".")
    for picture in list(doctree.findall(nodes.image)):
        known = app.env.images.get(picture["uri"])
        if known is not None and not isinstance(picture.parent, nodes.reference):
            link = nodes.reference("", "", internal=True, refuri=posixpath.join(up, known[1]), reftitle=SAID)
            picture.replace_self(link)
            link.append(picture)


def setup(app: Sphinx) -> dict:
    app.connect("doctree-resolved", link_pictures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
