"""The book's contents, as `_toc.yml` has them: its pages, and which of them are notebooks."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from traunet.workspace import PROJECT


class BuildError(ValueError):
    """A site that could not be built, or that does not hold what it should."""


def pages(project: Path = PROJECT) -> list[str]:
    """Every page of `_toc.yml`, by its path without a suffix, in reading order."""
    found = list(_files(read_settings(project / "_toc.yml")))
    outside = [page for page in found if Path(page).is_absolute() or ".." in Path(page).parts]
    if outside:
        raise BuildError(
            f"{project / '_toc.yml'}: {', '.join(outside)} lies outside of the project; move it into book/"
        )
    return found


def read_settings(path: Path) -> dict:
    """What a YAML file says: texts, numbers, lists and names, never objects, which could run code."""
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = getattr(error, "problem", None) or error
        raise BuildError(f"{path}: not plain YAML ({why}); correct it") from None
    if not isinstance(settings, dict):
        raise BuildError(f"{path}: holds no settings by name; restore it")
    return settings


def _files(entry: dict | list) -> Iterable[str]:
    if isinstance(entry, list):
        for item in entry:
            yield from _files(item)
    else:
        yield from (entry[name] for name in ("root", "file") if name in entry)
        yield from _files([entry[name] for name in ("parts", "chapters", "sections") if name in entry])


def notebooks(project: Path = PROJECT) -> list[str]:
    """The names of the book's notebooks, such as `01_data`, in reading order."""
    return [Path(page).name for page in pages(project) if (project / f"{page}.ipynb").is_file()]
