"""A training keeps the memory that it frees."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from traunet.machines.memory import keep_freed
if sys.argv[1] == "keep":
    assert keep_freed()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(100_000_000, np.uint8)
before = faults()
np.ones(100_000_000, np.uint8)
print(faults() - before)
"""


def faults(how: str) -> int:
    """How many pages the kernel gives for a large array, the second time."""
    command = [sys.executable, "-c", FAULTS, how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="speaks to glibc")
def test_what_was_freed_is_not_asked_of_the_kernel_again():
    assert faults("keep") < faults("leave") / 10  # however large the system's pages are
