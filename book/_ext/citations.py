"""The book's references, numbered as the paper numbers them: a style for `{bibliography}` and `{cite}`."""

from pathlib import Path

from pybtex.database import parse_file
from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting import BaseSortingStyle
from sphinx.application import Sphinx

STYLE = "numbered-as-the-paper"


class GivenLabels(BaseLabelStyle):
    """A reference's label is its field `label`."""

    def format_labels(self, sorted_entries):
        return (entry.fields["label"] for entry in sorted_entries)


class ByLabel(BaseSortingStyle):
    """References in the order of their labels."""

    def sorting_key(self, entry):
        return int(entry.fields["label"])


class PaperStyle(Style):
    """Plain references, with the paper's numbers."""

    default_label_style = GivenLabels
    default_sorting_style = ByLabel


def references(path: Path) -> dict:
    """The entries of a file of references, by key."""
    return dict(parse_file(str(path)).entries)


def setup(app: Sphinx) -> dict:
    register_plugin("pybtex.style.formatting", STYLE, PaperStyle)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
