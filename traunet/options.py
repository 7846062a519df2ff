"""The types of the command line, and the options that name a workspace."""

import argparse
from pathlib import Path

from traunet.config import PROFILES
from traunet.given import from_home

MOST = 2**31 - 1


def place(text: str) -> Path:
    """A path, from a home folder too; ArgumentTypeError if that is nobody's."""
    try:
        return from_home(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def count(text: str) -> int:
    """A number of 1 or more; else ArgumentTypeError."""
    return number(text, 1)


def number(text: str, least: int = 0) -> int:
    """A number of `least` or more that every library can hold; else ArgumentTypeError."""
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text} is no number of {least} or more")
    if int(text) > MOST:
        raise argparse.ArgumentTypeError(f"{text} is too large; give at most {MOST}")
    return int(text)


def of_a_workspace(profile: str | None = "demo", note: str = "(default: demo)") -> argparse.ArgumentParser:
    """The options that name a workspace, for commands to share."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--profile", default=profile, metavar="P", help=f"{', '.join(PROFILES)} {note}")
    shared.add_argument("--disfa", type=place, metavar="DIR", help="DISFA's top folder (default: a synthetic one)")
    shared.add_argument(
        "--weights", type=place, metavar="FILE", help="the trunk's weights (default: train small ones)"
    )
    shared.add_argument(
        "--seeds", type=count, metavar="N", help="train each network N times, each from another seed (default: 1)"
    )
    shared.add_argument("--done", type=place, help=argparse.SUPPRESS)  # the mark that the workflow waits for
    return shared
