"""Setting up installs into .venv and nowhere else, whatever pip is told by its user, or it stops and says so."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from traunet.workspace import PROJECT


def program(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    return subprocess.run(["sh", *command], env=known | environment, capture_output=True, text=True)


def test_what_a_user_has_set_for_pip_sends_no_package_elsewhere_and_a_mirror_stays(tmp_path):
    python = program(tmp_path / "python", 'test "$1" = -I || env | grep ^PIP_')
    elsewhere = dict.fromkeys(("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"), "/elsewhere")
    mirror = {"PIP_INDEX_URL": "https://mirror.example"}
    done = run(PROJECT / ".ci" / "packages", python, PIP_USER="1", **elsewhere, **mirror)
    assert done.returncode == 0, done.stderr
    told = [set(call) for call in zip(*[iter(done.stdout.split())] * 2, strict=True)]
    assert told == [{"PIP_USER=0", "PIP_INDEX_URL=https://mirror.example"}] * 3


@pytest.mark.parametrize("lost", ["setuptools wheel packaging", "torch traunet"])
def test_packages_that_pip_put_elsewhere_are_missed_at_once_and_at_the_end(tmp_path, lost):
    """As a target in pip.conf has it, of which pip says nothing."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    missing = f'case "$*" in *"{lost}") exec "{tmp_path}/bare/bin/python" "$@";; esac'
    python = program(tmp_path / "python", missing)
    done = run(PROJECT / ".ci" / "packages", python)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"setup: pip did not install {lost} where {python} finds them; take target, prefix and")
    assert f"{python} -m pip config list" in line


@pytest.mark.parametrize("code", [0, 1])
def test_what_pip_fetches_lies_in_the_environment_meanwhile_and_not_in_a_small_tmp(tmp_path, code):
    (tmp_path / ".ci").mkdir()
    shutil.copy(PROJECT / ".ci" / "setup", tmp_path / ".ci")
    program(tmp_path / ".ci" / "packages", 'ls "$TMPDIR"; echo "$TMPDIR"; touch "$TMPDIR/wheel"', f"exit {code}")
    venv = 'test "$2" != venv || exec mkdir -p .venv'
    python = program(tmp_path / "python", venv, f'exec "{sys.executable}" "$@"')
    left = tmp_path / ".venv" / "tmp" / "left by one that was killed"
    left.mkdir(parents=True)
    done = run(tmp_path / ".ci" / "setup", python)
    assert done.returncode == code, done.stderr
    assert done.stdout.splitlines()[1:] == [str(left.parent)]
    assert list((tmp_path / ".venv").iterdir()) == []
