"""The most memory that was held; and that which a training frees, kept for its next step.

glibc would hand that back to the kernel each time. The maps of a step are larger than glibc's arenas and
thresholds: each would be asked of the kernel, cleared by it page by page, and given back. Measured on two cores at
full size: half as many page faults, and some per cent of a step's time, which is near the noise.
"""

import ctypes
import platform
import sys

# glibc's mallopt, by its numbers in malloc.h: one arena for all threads, no mappings of their own for large
# blocks, nothing handed back, and the heap grown 64 MiB at a time.
SETTINGS = {
    "M_ARENA_MAX": (-8, 1),
    "M_MMAP_MAX": (-4, 0),
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),
    "M_TOP_PAD": (-2, 2**26),
}


def keep_freed() -> bool:
    """Let this process keep what it frees, until it ends; False where its C library is not glibc.

    Call it before torch has started threads. Results do not change; how much the peak grows was not measured.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(*setting) for setting in SETTINGS.values())


def peak() -> float:
    """The most that this process or one that it started ever held, in GB."""
    import resource

    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return most / 1e9 if sys.platform == "darwin" else most * 1024 / 1e9  # bytes there, KiB elsewhere
