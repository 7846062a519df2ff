"""What a site must not tell of the machine that built it: secrets, names of people and machines, places of files.

Two looks: for what this machine knows of itself, and for what such things look like anywhere, since the notebooks
may have been executed on another machine than the one that builds the site.
"""

import getpass
import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
OTHERS_WORK = "_static"  # scripts and styles of other packages, the same wherever the site is built
SECRET_NAMES = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|PASS$|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE|JWT|BEARER", re.IGNORECASE
)
# As often these hold the name of a method, such as "kerberos", or of an author.
PERHAPS_SECRET = re.compile(r"PASS_|AUTH(?!ORS?(?:_|$))|COOKIE|_KEY$", re.IGNORECASE)
LEAST_SECRET = 8  # characters; a shorter value of such a variable is a switch such as "true"
LEAST_NAME = 3
# Accounts and machines that are called so everywhere tell nothing.
NOBODY = {
    "root",
    "user",
    "users",
    "admin",
    "ubuntu",
    "debian",
    "runner",
    "docker",
    "jovyan",
    "nobody",
    "localhost",
}

# A lab's folder may be called as one of the project's is, as in traunet/data/disfa.py. Whatever else stands before
# it tells nothing: an n is the end of a line in a notebook's file, an m that of a colour, an I an option.
WITHIN = r"(?<!traunet)(?<!build)"
# What stands before a match is looked at last: a pattern that begins with plain letters is found 50 times as fast.
PATTERNS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an access token of GitHub": re.compile(r"gh(?<!\wgh)[pousr]_\w{36}"),
    "an access token of GitHub, fine-grained": re.compile(r"github_pat_(?<!\wgithub_pat_)\w{22,}"),
    "an access token of GitLab": re.compile(r"glpat-(?<!\wglpat-)[\w-]{20}"),
    "an access token of Hugging Face": re.compile(r"hf_(?<!\whf_)\w{30,}"),
    "an access key of Amazon": re.compile(r"AKIA(?<!\wAKIA)[0-9A-Z]{16}"),
    "an access token of Slack": re.compile(r"xox(?<!\wxox)[abp]-[\w-]{20,}"),
    "a password in an address": re.compile(r"://(?<=\w://)[^\s/:@\"'<>]+:[^\s/:@\"'<>]+@"),
}
TAGS = re.compile(r"<[^<>]*>")
LATE = re.compile(rb"tEXt|zTXt|iTXt|eXIf")  # the parts of a PNG that hold words
HOMES = re.compile(r"/(?:home|Users|root)/(?<![\w.]/home/)(?<![\w.]/Users/)(?<![\w.]/root/)[\w.-]+")
WINDOWS_HOMES = re.compile(r"\b[A-Za-z]:\\+Users\\+[\w.-]+")
# Any absolute path of two parts or more, but not the path of an address on the web, a tag's end or a fraction.
PLACES = re.compile(r"(?:(?<![\w/.<>@)\]+-])|(?<=file://))/(?:[\w.+-]+/)+[\w.+-]+|\b[A-Za-z]:\\+[\w.-]+\\+[\w.-]+")


def faults(site: Path, private: Iterable[str] = (), names: Iterable[str] = ()) -> list[str]:
    """What a site, or any folder, gives away, in words; an empty list if nothing.

    `private` are texts that may stand nowhere, such as the home folder. `names` are of people and machines: looked
    for as whole words in what notebooks print, not in prose, which is the same wherever the site is built.
    """
    private, names = {text: _spellings(text) for text in private}, tuple(names)
    found = []
    for file in sorted(path for path in site.rglob("*") if path.is_file()):
        place = file.relative_to(site)
        found += [f"{place} holds {what}" for what in _in_file(file, OTHERS_WORK in place.parts, private, names)]
    return found


def private_texts(*folders: Path | None, written: str = "") -> list[str]:
    """What must not leave this machine: these folders and the home folder, Python's, and the values of secrets.

    Not a folder that stands in what is `written` for everyone, where it is an example, and is not the beginning of
    another's name; a secret never is.
    """
    places = [Path.home(), Path(sys.prefix), *(folder for folder in folders if folder)]
    given = {str(path) for place in places for path in (place.absolute(), place.resolve())}
    secrets = {
        value
        for name, value in os.environ.items()
        if SECRET_NAMES.search(name) or (PERHAPS_SECRET.search(name) and not value.isalpha())
    }
    # /root and / alone tell nothing
    told = {text for text in given if len(Path(text).parts) > 2 and not _folder(text).search(written)}
    return sorted(told | {secret for secret in secrets if len(secret) >= LEAST_SECRET})


def private_names(written: str = "") -> list[str]:
    """The user's and the machine's names, unless they are called so everywhere, or by words that are `written`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may give an account no name
        user = ""
    names = {user, platform.node(), platform.node().partition(".")[0]}
    told = (name for name in names if len(name) >= LEAST_NAME and name.lower() not in NOBODY)
    return sorted(name for name in told if not _word(name, re.IGNORECASE).search(written))


def _folder(path: str) -> re.Pattern[str]:
    """Such a path, and neither part of a longer one nor the beginning of another's name."""
    return re.compile(rf"(?<![\w.-]){re.escape(path)}(?![\w-]|\.\w)")


def _word(name: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", flags)


def _spellings(text: str) -> set[str]:
    """A text as it is, as Python or JSON print it, and each of these as HTML and then JSON write it."""
    printed = {text, repr(text)[1:-1], *_in_json({text})}
    full = {escape(one) for one in printed}
    highlighted = {one.replace("&#x27;", "&#39;") for one in full}  # by Pygments
    prose = {one.replace("&#x27;", "'").replace("@", "&#64;") for one in full}  # by Docutils
    shown = {*printed, *full, *highlighted, *prose, *(escape(one, quote=False) for one in printed)}
    return shown | _in_json(shown)


def _in_json(texts: Iterable[str]) -> set[str]:
    return {json.dumps(text, ensure_ascii=plain)[1:-1] for text in texts for plain in (True, False)}


def _in_file(file: Path, others: bool, private: Mapping[str, set[str]], names: tuple[str, ...]) -> Iterator[str]:
    content = file.read_bytes()
    text = content.decode("utf-8", errors="ignore")
    if file.suffix == ".html":
        text = f"{text}\n{TAGS.sub('', text)}"  # Pygments puts each part of a path in a tag of its own
    told = (secret for secret, spellings in private.items() if any(_stands(one, text) for one in spellings))
    yield from (f"{_masked(secret)} of this machine" for secret in told)
    if others:
        return
    if file.suffix.lower() in PICTURES:
        text = "\n".join(_in_picture(file))
    elif b"\0" in content:
        return
    yield from _patterns(text)
    if file.suffix == ".ipynb":
        text = "\n".join(_in_notebook(text))
        yield from (f"the name {name!r} of this account or machine" for name in names if _word(name).search(text))
    places = set(PLACES.findall(text)) if file.suffix == ".ipynb" else _homes(text)
    yield from (f"the place {place!r}" for place in sorted(places))


def _stands(spelling: str, text: str) -> bool:
    """Whether a private text stands there, and not only as the end of a path within the project."""
    if spelling not in text or not spelling.startswith("/"):
        return spelling in text
    return re.search(WITHIN + re.escape(spelling), text) is not None


def _homes(text: str) -> set[str]:
    """Folders of people; those of Windows, which take long to look for, where a text could hold any."""
    return {*HOMES.findall(text), *(WINDOWS_HOMES.findall(text) if "Users\\" in text else ())}


def _patterns(text: str) -> Iterator[str]:
    yield from (what for what, pattern in PATTERNS.items() if pattern.search(text))


def _masked(text: str) -> str:
    """A folder by its name; of a secret, which would stand in a log else, only that there is one."""
    return f"the folder {text!r}" if Path(text).is_absolute() else "a secret"


def _in_notebook(text: str) -> Iterator[str]:
    """All that stands in a notebook beside what its author wrote: outputs and metadata, but no pictures' bytes."""
    notebook = json.loads(text)
    yield from _strings(notebook.get("metadata", {}))
    for cell in notebook.get("cells", []):
        yield from _strings(cell.get("metadata", {}))
        yield from _strings([_without_pictures(output) for output in cell.get("outputs", [])])


def _without_pictures(output: dict) -> dict:
    data = output.get("data", {})
    return {
        **output,
        "data": {kind: data[kind] for kind in data if not kind.startswith("image/") or "svg" in kind},
    }


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield "".join(part for part in value if isinstance(part, str))  # lines, as notebooks keep their text
        yield from (text for part in value if not isinstance(part, str) for text in _strings(part))
    elif isinstance(value, dict):
        yield from (text for part in value.values() for text in _strings(part))


def _in_picture(file: Path) -> Iterator[str]:
    """What a picture's file tells in words: comments, and what a camera or a program noted."""
    content = file.read_bytes()
    try:
        with Image.open(file) as picture:
            # To see what a PNG says after its pixels, Pillow decodes these; so it does where such a word stands.
            late = LATE.search(content, content.find(b"IDAT"))
            exif = picture.getexif() if late or picture.format != "PNG" or "exif" in picture.info else {}
            noted = {**picture.info, **{ExifTags.TAGS.get(tag, tag): value for tag, value in exif.items()}}
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return
    yield from (str(value) for value in noted.values() if isinstance(value, str | bytes))
