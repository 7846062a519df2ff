"""Folders that nobody edits: what each file holds is noted when they are made, and told if it has changed since.

That finds an edit by hand, a slip, a file that was half copied or put there. It cannot find who writes the note
anew as well, and says nothing of what the files were made from: runs note their own (`traunet/runs.py`). A link in
the folder is never as it was written, whatever the note says: it leads to a file that nobody wrote there.
"""

import json
from pathlib import Path

from traunet.records.provenance import file_sha256
from traunet.records.reading import json_of

SEAL = ".as-written"  # the file in a sealed folder that holds the hashes of the others


def seal(folder: Path) -> None:
    """Note what every file of a folder holds now."""
    (folder / SEAL).write_text(json.dumps(contents(folder), indent=1) + "\n", encoding="utf-8")


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file of a folder, by name; what is hidden is not looked at, and no link followed."""
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return {file.name: file_sha256(file) for file in files if file.is_file() and not file.is_symlink()}


def links(folder: Path) -> list[str]:
    """The links anywhere below a folder, each in words, but for hidden ones; the folder itself may be one."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_symlink())
    return [f"{path} is a link; remove it" for path in found if not _is_hidden(path.relative_to(folder))]


def _is_hidden(name: Path) -> bool:
    """An editor's, as Emacs's link beside a file that is open in it, or in a folder of such."""
    return any(part.startswith(".") for part in name.parts)


def broken(folder: Path) -> list[str]:
    """What is not as it was written, each file in words; an empty list if all is."""
    noted, now = _noted(folder), contents(folder)
    if noted is None:
        return [
            f"{folder / SEAL} cannot be read, so that nothing tells whether the files are as they were written"
        ]
    return links(folder) + [
        f"{folder / name} {_what(noted.get(name), now.get(name))}"
        for name in sorted(noted.keys() | now.keys())
        if noted.get(name) != now.get(name) and not (folder / name).is_symlink()
    ]


def _what(noted: str | None, now: str | None) -> str:
    if now is None:
        return "is missing"
    return "is not as it was written" if noted else "was put there afterwards"


def _noted(folder: Path) -> dict[str, str] | None:
    try:
        return dict(json_of(folder / SEAL))
    except (OSError, ValueError, TypeError):
        return None
