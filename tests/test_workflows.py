"""The workflows for GitHub: they call what is there, may do no more than they must, and let no real face out."""

import json
import re
import shutil
import stat
import subprocess
import sys

import pytest
import yaml

from traunet.workspace import PROJECT

FOLDER = PROJECT / ".github"
FILES = sorted(path for path in FOLDER.rglob("*.yml"))
WORKFLOWS = [path for path in FILES if path.parent.name == "workflows"]
PUBLISHABLE = PROJECT / ".ci" / "publishable"
SYNTHETIC = {"synthetic": True, "dataset": "synthetic DISFA"}


def said(path) -> dict:
    """A workflow; YAML takes its key `on` for a truth value."""
    text = path.read_text()
    return yaml.safe_load(re.sub(r"^on:", "'on':", text, flags=re.MULTILINE))


def jobs(path) -> dict:
    made = said(path)
    return made.get("jobs") or {path.stem: made["runs"]}


def steps() -> list[tuple[str, dict]]:
    return [(path.name, step) for path in FILES for job in jobs(path).values() for step in job["steps"]]


def commands() -> str:
    return "\n".join(step.get("run", "") for _, step in steps())


def test_there_are_workflows_for_tests_the_smoke_book_and_publishing():
    assert [path.name for path in WORKFLOWS] == ["publish.yml", "tests.yml"]


def test_every_action_is_githubs_own_at_one_commit_whose_version_stands_beside():
    used = [step["uses"] for _, step in steps() if "uses" in step]
    strange = [name for name in used if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", name)]
    own = {name for name in strange if name.startswith("./")}
    assert set(strange) == own
    assert all((PROJECT / name / "action.yml").is_file() for name in own)
    lines = re.findall(r"uses: actions/.*", "\n".join(path.read_text() for path in FILES))
    assert len(lines) == len(used) - len(strange)
    assert all(re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line) for line in lines)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_and_nothing_else_but_what_one_job_must(path):
    made = said(path)
    assert made["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in made["jobs"].items() if "permissions" in job}
    assert more == ({"publish": {"pages": "write", "id-token": "write"}} if path.stem == "publish" else {})
    assert "pull_request_target" not in made["on"]
    assert all("timeout-minutes" in job for job in made["jobs"].values())


def test_no_checkout_leaves_its_credentials_behind():
    checkouts = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_nothing_that_others_can_write_is_pasted_into_a_command():
    assert "${{" not in commands()


def test_what_make_is_asked_for_is_in_the_makefile():
    makefile = (PROJECT / "Makefile").read_text()
    targets = {name for line in re.findall(r"^([\w./ ]+):(?!=)", makefile, re.MULTILINE) for name in line.split()}
    asked = set(re.findall(r"make ([\w./]+)", commands()))
    assert {"test", "book", "check"} <= asked
    assert asked <= targets


def test_pips_downloads_are_kept_by_the_lock_files_hash():
    kept = [step["with"] for _, step in steps() if step.get("uses", "").startswith("actions/cache@")]
    assert [("~/.cache/pip", "hashFiles('requirements.lock')" in step["key"]) for step in kept] == [
        (step["path"], True) for step in kept
    ]
    assert kept


def test_only_rendered_profiles_can_be_published_and_they_are_looked_at_before():
    made = said(FOLDER / "workflows" / "publish.yml")
    assert set(made["on"]["workflow_dispatch"]["inputs"]["profile"]["options"]) == {"demo", "smoke"}
    done = [step.get("run", step.get("uses", "")) for step in made["jobs"]["build"]["steps"]]
    order = [
        next(i for i, text in enumerate(done) if word in text) for word in ("make book", "publishable", "upload")
    ]
    assert order == sorted(order)
    assert "DISFA= WEIGHTS=" in done[order[0]]
    assert made["jobs"]["publish"]["needs"] == "build"


def workspace(
    root, run=SYNTHETIC, store=SYNTHETIC, page="Profile demo, data set: synthetic DISFA.", data="synthetic DISFA"
):
    """A workspace with one run, one number and one page."""
    number = {"value": 1.0, "runs": ["a"], "dataset": data, "profile": "demo"}
    printed = {"value": 59.0, "runs": [], "dataset": "DISFA", "profile": "paper"}
    files = {
        "store/manifest.json": json.dumps(store),
        "runs/a/provenance.json": json.dumps(run),
        "results/results.json": json.dumps({"a": number, "published": printed}),
        "site/html/a.html": f"<p>{page}</p>",
        "site/html/index.html": '<meta http-equiv="Refresh" content="0; url=a.html" />',
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def publishable(folder) -> str:
    """Why a site may not be published; nothing if it may."""
    done = subprocess.run([sys.executable, PUBLISHABLE, folder], capture_output=True, text=True)
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr


def test_a_site_of_rendered_heads_may_be_published(tmp_path):
    assert publishable(workspace(tmp_path)) == ""


REAL = {"synthetic": False, "dataset": "DISFA"}


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ({"run": REAL}, "provenance.json: not of rendered heads"),
        ({"run": {}}, "provenance.json: not of rendered heads"),
        ({"store": REAL}, "manifest.json: not of rendered heads"),
        ({"data": "DISFA"}, "holds numbers on DISFA"),
        ({"page": "Profile demo, data set: DISFA."}, "no banner of a synthetic data set"),
        ({"page": "no banner"}, "no banner of a synthetic data set"),
    ],
)
def test_a_site_with_disfas_people_is_never_published(tmp_path, spoilt, why):
    assert why in publishable(workspace(tmp_path, **spoilt))


def test_a_workspace_without_records_or_site_is_not_published(tmp_path):
    assert "not of rendered heads" in publishable(tmp_path)
    assert "no site" in publishable(tmp_path)


def test_what_ci_calls_can_be_executed():
    assert PUBLISHABLE.stat().st_mode & stat.S_IXUSR


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not installed")
def test_actionlint_has_nothing_to_say():
    done = subprocess.run(["actionlint", *WORKFLOWS], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
