"""What settings may be: each check raises a ValueError that names the setting, what it is, and what to give."""

from math import inf
from typing import Any

BEYOND = 8  # times the paper's: settings beyond it, as a file from elsewhere may bring, take all of a machine


def beyond_reason(kind: type, **settings: Any) -> None:
    """Refuse all but whole numbers from 1 to so many times the default of the class."""
    for name, value in settings.items():
        whole(1, BEYOND * getattr(kind, name), **{name: value})


def whole(least: int, most: float = inf, **settings: Any) -> None:
    """Refuse all but whole numbers within these bounds."""
    for name, value in settings.items():
        if not is_whole(value, least, most):
            wanted = f"from {least} to {most}" if most < inf else f"of at least {least}"
            raise ValueError(f"{name} {value!r}: give a whole number {wanted}")


def is_whole(value: Any, least: int, most: float) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def share(**settings: Any) -> None:
    """Refuse all but numbers from 0 to 1."""
    for name, value in settings.items():
        if not is_number(value) or not 0 <= value <= 1:
            raise ValueError(f"{name} {value!r}: give a number from 0 to 1")


def falling(first: Any, last: Any) -> None:
    """Refuse a learning rate that does not begin above 0, or that rises to its last, which may be None."""
    if not is_number(first) or not 0 < first < inf:
        raise ValueError(f"learning_rate {first!r}: give a number above 0")
    if last is not None and (not is_number(last) or not 0 <= last <= first):
        raise ValueError(
            f"final_learning_rate {last!r}: the rate falls to it from learning_rate {first!r}; give a number from "
            "0 to that, or None for a constant rate"
        )


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
