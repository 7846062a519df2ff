"""`make bench`: every figure measured in one go, written as JSON, from which the book makes its page on speed."""

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from traunet.bench.figure import Figure, Measurement
from traunet.machines import cores
from traunet.records.keeping import whole
from traunet.records.provenance import NUMERIC_PACKAGES, versions


def benchmark(out: Path, measurements: Mapping[str, Measurement], **options: Any) -> dict[str, list[Figure]]:
    """Take each measurement in a scratch folder beside `out`, and write what came of all of them to `out`.

    Each figure is told on standard error as it comes. The file appears whole, when the last is done. It says on
    what machine, and names neither it nor its user.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    taken: dict[str, list[Figure]] = {}
    seconds: dict[str, float] = {}
    for part, measure in measurements.items():
        started, taken[part] = time.perf_counter(), []
        _say(f"measuring: {part}")
        with tempfile.TemporaryDirectory(prefix=".bench-", dir=out.parent) as scratch:
            for figure in measure(Path(scratch), **options.get(part, {})):
                _say(str(figure))
                taken[part].append(figure)
        seconds[part] = round(time.perf_counter() - started, 1)
    _write(out, {"machine": machine(), "seconds": seconds, "figures": _rows(taken)})
    return taken


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": cores.available(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpu": gpu,
        "python": platform.python_version(),
        "versions": versions((*NUMERIC_PACKAGES, "av")),
    }


def _processor() -> str:
    """Its make, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _rows(taken: Mapping[str, list[Figure]]) -> list[dict[str, Any]]:
    return [{"part": part, **figure.row()} for part, figures in taken.items() for figure in figures]


def _write(out: Path, content: dict[str, Any]) -> None:
    with whole(out) as part:
        part.write_text(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """JSON knows no NaN."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and value != value else value
