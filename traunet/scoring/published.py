"""The paper's printed tables and claims and DISFA's published statistics, as typed into `data/published/`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from traunet.data.original import FRAMES
from traunet.facs import AUS

if TYPE_CHECKING:
    import pandas as pd  # loaded to read a table, not by pages that want the folder alone

FOLDER = Path(__file__).resolve().parents[2] / "data" / "published"
SCORES = [*AUS, "Avg"]


def read(name: str, folder: Path = FOLDER, **options: Any) -> "pd.DataFrame":
    """Read one of the published tables; FileNotFoundError says where it should be."""
    import pandas as pd

    path = folder / f"{name}.csv"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: it is part of the repository; work in a checkout, 'pip install -e .'"
        )
    return pd.read_csv(path, **options)


def table1() -> "pd.DataFrame":
    """Table 1, "F1-frame and accuracy for 8 Aus on DISFA": one row a metric and method, in percent."""
    return read("table1")


def table2() -> "pd.DataFrame":
    """Table 2, "F1-frame for different variants of TRA-Net", and Table 1's TRA-Net as its last row, in percent."""
    return read("table2")


def tolerances() -> "pd.DataFrame":
    """By how many points a score may differ from the printed one, by metric and score, each with its reason."""
    return read("tolerances")


def settings() -> "pd.DataFrame":
    """The paper's experiment as it is read here, whatever `config` says by now: one row a setting (the index).

    Columns: value, as text, and words, the paper's own; none where the paper gives no value, and it is ours.
    """
    return read("settings", dtype=str, keep_default_na=False).set_index("setting")


def claims() -> "pd.DataFrame":
    """The paper's claims: quoted, with their place, what would bear them out, and the numbers that show it."""
    return read("claims")


def base_rates() -> "pd.DataFrame":
    """Percent of DISFA's frames at or above each intensity threshold (the index), per AU, with its origin."""
    return read("base_rates").set_index("threshold")


def intensity_counts() -> "pd.DataFrame":
    """DISFA's frames at each intensity: one row an AU (the index), columns 1 to 5, and their origin."""
    table = read("intensity_counts").set_index("AU")
    return table.rename(columns={str(intensity): intensity for intensity in range(1, 6)})


def audit_averages(table: "pd.DataFrame") -> "pd.DataFrame":
    """Recompute each row's average: the table with `recomputed` and `follows`, true within rounding."""
    recomputed = table[list(AUS)].mean(axis=1)
    follows = (recomputed - table["Avg"]).abs() <= 0.05 + 1e-9
    return table.assign(recomputed=recomputed.round(2), follows=follows)


def intensity_shares() -> "pd.DataFrame":
    """Percent of DISFA's frames at each intensity 1 to 5 (columns) of each AU (index)."""
    return 100 * intensity_counts().loc[list(AUS), list(range(1, 6))] / FRAMES
