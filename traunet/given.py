"""What a user gives: paths and numbers, as arguments or through the environment."""

import os
from pathlib import Path


def path(given: str | Path | None, variable: str) -> Path | None:
    """The path that was given, or that the variable holds; None if neither was."""
    text = given or os.environ.get(variable)
    return from_home(text) if text else None


def from_home(text: str | Path) -> Path:
    """A path whose ~ is a home folder: many shells leave that of DISFA=~/disfa. ValueError if it is none."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{text}: nobody here is called so; give the whole path") from error


def number(variable: str) -> int | None:
    """The number that the variable holds, if any; ValueError if it is none of 1 or more."""
    text = os.environ.get(variable)
    if text and not (text.isdecimal() and int(text)):
        raise ValueError(f"{variable} is {text!r}; give a number of 1 or more")
    return int(text) if text else None
