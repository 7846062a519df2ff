"""How many cores there are to work with."""

import os


def available() -> int:
    """Cores that this process may use; a container or a scheduler often grants fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
