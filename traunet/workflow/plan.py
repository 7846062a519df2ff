"""What `make plan` says: a line for every job that Snakemake would start, with what it asks for and why."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

# How Snakemake gives a job's reason; those of jobs that follow from others come last, and say the least.
REASONS = {
    "Missing output files": "missing",
    "Incomplete output files": "was not finished",
    "Updated input files": "changed since: {}",
    "Set of input files has changed since last execution": "made from more or fewer than before",
    "Params have changed since last execution": "its command or key has changed",
    "Input files updated by another job": "follows from: {}",
}


class Job(NamedTuple):
    """A step of the workflow as Snakemake's dry run describes it."""

    rule: str
    output: str
    asks: Mapping[str, str]  # threads, mem, runtime (minutes) and gpu
    reason: str

    @property
    def name(self) -> str:
        """What it makes: the name of a mark or of a notebook."""
        return Path(self.output).stem


def table(lines: Iterable[str], stale: Mapping[str, str], cluster: bool) -> list[str]:
    """A dry run in few words. `stale`: why what is there is made again, by the name of its mark or notebook.

    Memory and time are asked for on a cluster alone.
    """
    found = [job for job in _jobs(lines) if job.output]
    if not found:
        return ["nothing to do: all is there, and as it would be made now"]
    last = {job.rule: place for place, job in enumerate(found)}  # jobs of one rule are told together
    jobs = sorted(found, key=lambda job: (last[job.rule], job.name))
    rows = [[job.name, *_asked(job, cluster), stale.get(job.name) or _why(job.reason)] for job in jobs]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    told = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width) for row in rows]
    counts = ", ".join(f"{count} {rule}" for rule, count in Counter(job.rule for job in jobs).items())
    return [*map(str.rstrip, told), f"jobs: {len(jobs)} ({counts}); none was started"]


def _jobs(lines: Iterable[str]) -> Iterator[Job]:
    """A job begins with its rule, and the lines that describe it are indented."""
    rule = ""
    for indented, block in groupby(lines, lambda line: line.startswith("    ")):
        if not indented:
            rule = next((found[1] for line in block if (found := re.match(r"(?:local)?rule (\w+):", line))), "")
        elif rule:
            said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in block)}
            resources = dict(item.split("=", 1) for item in said.get("resources", "").split(", ") if "=" in item)
            asks = {"threads": said.get("threads", "1"), **resources}
            output = said.get("output", "")  # of each job it is one file; its path may hold any sign
            build = Path(output).parent.parent.parent
            yield Job(rule, output, asks, said.get("reason", "").replace(f"{build}/", ""))


def _asked(job: Job, cluster: bool) -> list[str]:
    cores, gpus = job.asks["threads"], job.asks.get("gpu", "0")
    least = [f"{cores} core{'s' * (cores != '1')}", f"{gpus} GPU" if gpus != "0" else ""]
    return least + [job.asks.get("mem", ""), f"{job.asks.get('runtime', '?')} min"] * cluster


def _why(reason: str) -> str:
    said = {what: of for what, _, of in (part.partition(": ") for part in reason.split("; "))}
    for known, ours in REASONS.items():
        if known in said:
            first, *others = [Path(name).stem for name in said[known].split(", ")]
            return ours.format(first + (f" and {len(others)} more" if others else ""))
    return reason
