"""`results.json`: every number that prose may quote, by key, with the runs it came from."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from traunet.records.keeping import whole
from traunet.records.reading import json_of
from traunet.scoring.published import SCORES

if TYPE_CHECKING:
    import pandas as pd  # loaded to choose rows, not by pages that quote numbers


@dataclass(frozen=True)
class Number:
    """One number that prose may quote, and where it comes from: `runs` is empty for what the paper printed.

    `code` are the hashes of the library's source with which the runs were trained: one, unless runs were mixed.
    """

    value: float | None
    runs: tuple[str, ...]
    dataset: str
    profile: str
    code: tuple[str, ...] = ()

    @property
    def number(self) -> float:
        """The value; NaN where it is not defined."""
        return math.nan if self.value is None else float(self.value)


def select(table: "pd.DataFrame", **where: str) -> "pd.DataFrame":
    """The rows in which the named columns have the given values."""
    for column, value in where.items():
        table = table.loc[table[column] == value]
    return table


def slug(name: str) -> str:
    """A method's name as keys spell it: TRA-Net -> tranet."""
    return name.lower().replace("-", "")


def cells(table: "pd.DataFrame", prefix: str, columns: Iterable[str]) -> dict[str, float]:
    """Every score of a table by its key: the prefix, the values of the named columns, the AU, joined by dots."""
    return {
        ".".join([prefix, *(slug(str(line[column])) for column in columns), score]): float(line[score])
        for line in table.to_dict("records")
        for score in SCORES
    }


def write(path: Path, numbers: Mapping[str, Number]) -> None:
    """Write the numbers as JSON, whole or not at all; a score that is not defined becomes null."""
    plain = {key: asdict(number) for key, number in sorted(numbers.items())}
    for number in plain.values():
        undefined = number["value"] is None or math.isnan(number["value"])
        number["value"] = None if undefined else number["value"]
    with whole(path) as part:
        part.write_text(json.dumps(plain, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Number]:
    """Read `results.json`; ValueError if it is none."""
    try:
        plain = json_of(Path(path))
        return {
            key: Number(**{**number, **{name: tuple(number[name]) for name in ("runs", "code")}})
            for key, number in plain.items()
        }
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{path} is not a results file ({error}); make it again with 'traunet tables'") from error
