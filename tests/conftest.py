"""What holds for every test, whichever machine it runs on and in whatever order."""

import sys
from collections.abc import Iterator

import pytest

from traunet.machines import cores


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: the cores granted to this process; by itself pytest would count those of the whole machine."""
    return cores.available()


@pytest.fixture(autouse=True)
def _no_answer_of_another_test() -> Iterator[None]:
    """Whether torch can use the GPU here is asked once a process, and tests change what is here."""
    _forget_gpus()
    yield
    _forget_gpus()


def _forget_gpus() -> None:
    if machine := sys.modules.get("traunet.machines.machine"):  # not loaded for its sake: it takes torch along
        machine.unused_gpu.cache_clear()
