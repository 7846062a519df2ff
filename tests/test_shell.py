"""What is given to make, and where Python lies, reach a shell as plain text, whatever letters they have."""

import os
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.utils import format as filled_in

from traunet.workspace import PROJECT

OPTIONS = {"PROFILE": "profile", "DISFA": "disfa", "WEIGHTS": "weights", "SEEDS": "seeds", "MACHINES": "machines"}


def made(*words: str, **environment: str) -> subprocess.CompletedProcess:
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = ["make", "--directory", str(PROJECT), *words]
    return subprocess.run(command, env=known | environment, capture_output=True, text=True)


@pytest.fixture
def teller(tmp_path):
    """A Python that says, one a line, what it was given."""
    program = tmp_path / "teller"
    program.write_text('#!/bin/sh\nprintf "<%s>\\n" "$@"\n')
    program.chmod(0o755)
    return f"PYTHON={program}"


@pytest.mark.parametrize("through", ["environment", "command line"])
@pytest.mark.parametrize(
    "attack", ['x";touch {};"', "/d/$(shell touch {})", "$(touch {})", "`touch {}`", "';touch {};'"]
)
@pytest.mark.parametrize("name", list(OPTIONS))
def test_what_make_is_given_is_handed_on_as_it_is(tmp_path, teller, name, attack, through):
    given = attack.format(tmp_path / "ran")
    words, environment = ([f"{name}={given}"], {}) if through == "command line" else ([], {name: given})
    done = made("plan", teller, *words, **environment)
    assert not (tmp_path / "ran").exists()
    assert f"<--{OPTIONS[name]}>\n<{given}>\n" in done.stdout


@pytest.mark.parametrize("name", ["DISFA", "WEIGHTS", "SEEDS"])
def test_the_laboratory_opens_without_running_what_it_is_given(tmp_path, teller, name):
    for number, attack in enumerate(['x";touch {};"', "$(shell touch {})", "$(touch {})"]):
        made("lab", teller, **{name: attack.format(tmp_path / f"ran{number}")})
    assert not list(tmp_path.glob("ran*"))


def test_a_job_runs_the_python_that_it_is_started_by_wherever_that_lies(tmp_path):
    python = tmp_path / "p$(touch ran)q `touch ran` {{x}} 'y\" $HOME" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    source = (PROJECT / "Snakefile").read_text(encoding="utf-8")
    start, end = source.index("PYTHON = "), source.index("def gigabytes")
    names = {"shlex": shlex, "sys": SimpleNamespace(executable=str(python)), "CLUSTER": False}
    names["WORKSPACE"] = SimpleNamespace(profile=SimpleNamespace(name="smoke"))
    exec(source[start:end], names)
    for gpu in (False, True):
        line = names["job"]("site", mark=False, gpu=gpu)
        resources = SimpleNamespace(gpu=1, mem_mb=1)
        command = filled_in(line, log=str(tmp_path / "log"), resources=resources)
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "-m traunet site --profile smoke" in done.stdout
    assert not Path(tmp_path, "ran").exists()
