"""Where a number comes from, in the words that a page shows under the mouse, and says to a reader of the screen.

The role `res` uses them for numbers in prose (book/_ext/results.py), a notebook for those that it tells:

    Markdown(f"TRA-Net's mean F1 is {quoted(numbers, 'table1.tranet.f1.pooled.Avg')} %")
"""

from collections.abc import Iterable, Mapping
from html import escape

from traunet.runs import Run
from traunet.scoring.results import Number

MOST_RUNS = 3  # named one by one; the names of more are counted
PRINTED = "printed in the paper"
OTHERWISE = {
    "published.recomputed.": "recomputed from what the paper prints",
    "published.differences.": "recomputed from what the paper prints",
    "published.readings.": "counted in networks as this project reads the paper",
}
COMPUTED = "computed on this page"


def origin(key: str, number: Number) -> str:
    """A number's key, data set, profile, runs and code: a few parts, joined by semicolons."""
    if not number.runs:
        return f"{key}; {next((told for kind, told in OTHERWISE.items() if key.startswith(kind)), PRINTED)}"
    code = ", ".join(digits[:8] for digits in number.code)
    parts = [key, f"{number.dataset}, profile {number.profile}", f"from {in_words(number.runs)}"]
    return "; ".join([*parts, *([f"code {code}"] if code else [])])


def in_words(runs: Iterable[str]) -> str:
    """Runs by name, up to three; more by their number and, if those are few, their networks."""
    names = list(runs)
    if len(names) <= MOST_RUNS:
        return ", ".join(names)
    networks = list(dict.fromkeys(name.partition("-fold")[0] for name in names))
    return f"{len(names)} runs of {' and '.join(networks) if len(networks) <= 2 else f'{len(networks)} networks'}"


def opening(told: str) -> str:
    """The HTML tag before a number that tells this; `</span>` comes after it."""
    return f'<span class="result" tabindex="0" role="note" aria-description="{escape(told)}">'


def quoted(numbers: Mapping[str, Number], key: str, style: str = ".1f", sign: int = 1) -> str:
    """A number of `results.json` as HTML that tells where it comes from; `sign` -1 turns a difference around."""
    number = numbers[key]
    return f"{opening(origin(key, number))}{sign * number.number:{style}}</span>"


def computed(text: str, runs: Iterable[Run], profile: str) -> str:
    """What a notebook itself computed from runs, as HTML that tells them."""
    made = list(runs)
    names, code = tuple(run.name for run in made), tuple(sorted({run.code for run in made}))
    number = Number(None, names, made[0].provenance["dataset"], profile, code)
    return f"{opening(origin(COMPUTED, number))}{escape(text)}</span>"
