"""One measured figure, always beside another of the same run: machines are noisy, ratios less so."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """`value` (in `unit`) of `what`, beside `reference` of `against`, both from one run.

    A rate is better when larger: `at_least` is its bar; a time, a memory or a size has `at_most`. The bar is of
    the ratio, or of the value itself where not `of_ratio`. Memory is in bytes, the peak of all processes.
    """

    what: str
    value: float
    unit: str
    against: str
    reference: float
    at_least: float | None = None
    at_most: float | None = None
    of_ratio: bool = True
    seconds: float = math.nan  # that the measurement took
    memory: int | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.value / self.reference if self.reference else math.nan

    @property
    def holds(self) -> bool | None:
        """Whether the bar is met; None if there is none."""
        judged = self.ratio if self.of_ratio else self.value
        if self.at_least is not None:
            return bool(judged >= self.at_least)  # NumPy's own truth is none that JSON knows
        return None if self.at_most is None else bool(judged <= self.at_most)

    def __str__(self) -> str:
        met = {None: "", True: "; bar met", False: "; bar missed"}[self.holds]
        return f"{self.what}: {self.value:.4g} {self.unit}; beside {self.against}: {self.ratio:.3g}{met}"

    def row(self) -> dict[str, Any]:
        """For JSON and for the table of the book."""
        return {**asdict(self), "ratio": self.ratio, "holds": self.holds}


Measurement = Callable[..., Iterable[Figure]]
