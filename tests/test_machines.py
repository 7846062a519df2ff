"""One workflow, on this machine, on Slurm and on Kubernetes: what each would be asked."""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pytest
from projects import call, write_checkout

from traunet.config import FOLDS, SMOKE, VARIANTS
from traunet.workflow import flow, marks
from traunet.workflow.plan import table
from traunet.workspace import PROJECT, Workspace

CLUSTERS = ("slurm", "kubernetes")
EACH = {f"train-{variant}-{fold}" for variant in VARIANTS for fold in FOLDS}
TOGETHER = {f"train-{variant}-{''.join(map(str, FOLDS))}" for variant in VARIANTS}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return write_checkout(tmp_path_factory.mktemp("machines") / "project")


def snakemake(checkout: Path, profile: Path, *more: str, build: Path | None = None, **environment: str):
    """Run Snakemake as `make book` does, in a copy of the project."""
    nothing = checkout / "nothing"  # no marks that another version of the library made
    words = map(str, flow.snakemake_command(Workspace(SMOKE, nothing), profile, 2)[1:])
    there = {str(PROJECT): str(checkout), str(nothing): quote(str(build or checkout / "build"))}
    return call(checkout, *(replaced(word, there) for word in words), *more, **environment)


def replaced(text: str, words: dict[str, str]) -> str:
    for old, new in words.items():
        text = text.replace(old, new)
    return text


def plan(text: str) -> dict[str, dict[str, str]]:
    """For every planned job, by what it makes: its rule, its threads, its resources and what it waits for."""
    jobs = {}
    for block in text.split("\nrule ")[1:]:
        said = [line.strip().partition(":") for line in block.splitlines() if line.startswith("    ")]
        lines = {name: value.strip() for name, _, value in said}
        asked = dict(item.split("=", 1) for item in lines.get("resources", "").split(", ") if "=" in item)
        name = Path(lines.get("output", "all").split(",")[0]).name
        jobs[name] = {"rule": block.split(":")[0], "threads": lines.get("threads", "1"), **asked}
        jobs[name]["input"] = lines.get("input", "")
    return jobs


@pytest.fixture(scope="module")
def planned(checkout):
    """What a dry run says of these machines, with the jobs' commands."""

    @cache
    def said(machines: str) -> str:
        done = snakemake(checkout, PROJECT / "profiles" / machines, "--dry-run", "--printshellcmds")
        assert done.returncode == 0, done.stdout
        return done.stdout

    return said


@pytest.mark.parametrize("machines", CLUSTERS)
def test_make_plan_tells_of_each_job_what_it_asks_for_as_snakemake_does(planned, machines):
    jobs = {name: job for name, job in plan(planned(machines)).items() if job["rule"] != "all"}
    *lines, _ = table(planned(machines).splitlines(), {}, cluster=True)
    assert sorted(line.split()[0] for line in lines) == sorted(Path(name).stem for name in jobs)
    for line in lines:
        name, asked = re.split("  +", line)[0], re.split("  +", line)[1:-1]
        job = next(job for output, job in jobs.items() if Path(output).stem == name)
        gpu = ["1 GPU"] * (job.get("gpu", "0") != "0")
        cores = f"{job['threads']} core{'s' * (job['threads'] != '1')}"
        assert asked == [cores, *gpu, job["mem"], f"{job['runtime']} min"]


@pytest.mark.parametrize("machines", CLUSTERS)
def test_a_cluster_gets_one_job_a_variant_and_fold_with_gpu_memory_time_and_cores(planned, machines):
    jobs = plan(planned(machines))
    trainings = {name: job for name, job in jobs.items() if job["rule"] == "train"}
    assert set(trainings) == EACH
    for job in trainings.values():
        assert {name: job[name] for name in ("gpu", "threads", "mem_mb", "runtime")} == {
            "gpu": "1",
            "threads": "8",
            "mem_mb": "24000",
            "runtime": "1440",
        }
    for name, job in jobs.items():
        assert name == "all" or {"mem_mb", "runtime"} <= set(job)
        assert ("gpu" in job) == (job["rule"] in ("train", "pretrain"))


def test_on_a_cluster_the_scheduler_alone_gives_gpus_however_they_are_asked_for(checkout, planned, tmp_path):
    """As book/machines.md has it for clusters that want another way: no `gpu` asked for must not hide the GPU."""
    assert "traunet.machines.gpus" in planned("local")
    assert not any("traunet.machines.gpus" in planned(machines) for machines in CLUSTERS)
    own = tmp_path / "own"
    shutil.copytree(PROJECT / "profiles" / "slurm", own)
    text = (own / "config.yaml").read_text()
    (own / "config.yaml").write_text(text.replace("    gpu: 1\n", '    gres: "gpu:a100:1"\n    gpu: 0\n', 1))
    done = snakemake(checkout, own, "--dry-run", "-p")
    assert done.returncode == 0, done.stdout
    assert "gres=gpu:a100:1" in done.stdout
    assert "traunet train" in done.stdout
    assert "traunet.machines.gpus" not in done.stdout
    assert "--device $(test 0 = 0 && echo auto || echo cuda)" in done.stdout


@pytest.mark.parametrize("machines", CLUSTERS)
def test_a_clusters_training_that_asks_for_a_gpu_stops_where_it_sees_none(planned, machines):
    """It would take days on the cores that it was given beside it."""
    option = r"--device (\$\(test [^)]*\))"
    shells = set(re.findall(option, planned(machines)))
    assert shells == {"$(test 1 = 0 && echo auto || echo cuda)"}
    assert subprocess.run(["sh", "-c", f"echo {shells.pop()}"], capture_output=True, text=True).stdout == "cuda\n"
    assert not re.findall(option, planned("local"))


def test_here_a_small_training_does_all_folds_on_one_core(planned):
    jobs = {name: job for name, job in plan(planned("local")).items() if job["rule"] == "train"}
    assert set(jobs) == TOGETHER
    assert {job["threads"] for job in jobs.values()} == {"1"}


@pytest.mark.parametrize(("machines", "granted"), [("local", 2), ("slurm", 16), ("kubernetes", 16)])
def test_rendering_and_preparing_start_as_many_processes_as_cores_were_granted(planned, machines, granted):
    for command in ("synth", "prepare"):
        assert f"-m traunet {command} --workers {granted} --profile smoke" in planned(machines)


def forced(workspace, machines):
    """The marks that `make book` has Snakemake make again, by name."""
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "_snakemake", lambda workspace, command, lock: asked.extend(command))
        patch.setattr(flow, "_refuse_no_cluster", lambda profile: None)
        flow.make_book(workspace, 2, machines=machines)
    marked = asked[asked.index("--forcerun") + 1 :]
    return [Path(mark).name for mark in marked if "done" in Path(mark).parts]


def test_marks_of_another_division_of_the_folds_ask_for_no_jobs(tmp_path):
    workspace = Workspace(SMOKE, tmp_path)
    for name in ("store", "train-tranet-123", "train-tranet-2"):
        marks.write(workspace.folder / "done" / name, workspace, "runs", [tmp_path / "gone"])
    for machines, wanted in (("local", "train-tranet-123"), ("slurm", "train-tranet-2")):
        assert forced(workspace, machines) == ["store", wanted]


def test_marks_of_more_seeds_than_are_asked_for_ask_for_no_jobs(tmp_path):
    workspace = Workspace(SMOKE, tmp_path, seeds=2)
    for name in ("train-tranet-123", "train-tranet-123-again1", "train-tranet-123-again2"):
        marks.write(workspace.folder / "done" / name, workspace, "runs", [tmp_path / "gone"])
    assert forced(workspace, "local") == ["train-tranet-123", "train-tranet-123-again1"]


@pytest.mark.parametrize(("machines", "groups"), [("local", TOGETHER), ("kubernetes", EACH)])
def test_with_seeds_every_network_is_trained_so_often_and_the_tables_wait_for_all(checkout, machines, groups):
    asked = ["--config", "profile=smoke", "seeds=3"]
    done = snakemake(checkout, PROJECT / "profiles" / machines, "--dry-run", "--printshellcmds", *asked)
    assert done.returncode == 0, done.stdout
    jobs = plan(done.stdout)
    wanted = {name + again for name in groups for again in ("", "-again1", "-again2")}
    assert {name for name, job in jobs.items() if job["rule"] == "train"} == wanted
    assert wanted <= {Path(mark.strip()).name for mark in jobs["results"]["input"].split(",")}
    assert done.stdout.count(" --again 2 ") == len(groups)


def test_a_profile_is_found_by_name_or_by_path_and_an_unknown_one_lists_the_known(tmp_path):
    own = tmp_path / "own"
    shutil.copytree(PROJECT / "profiles" / "slurm", own)
    assert flow.find_profile("slurm") == PROJECT / "profiles" / "slurm"
    assert flow.find_profile(str(own)) == own
    assert not flow.is_local(own)
    assert flow.is_local(flow.find_profile("local"))
    with pytest.raises(
        ValueError, match="unknown machines 'slrum': choose one of kubernetes, local, slurm, or name"
    ):
        flow.find_profile("slrum")


def test_only_this_machines_cores_and_gpus_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(flow.gpus, "here", lambda: ["GPU-a", "GPU-b"])
    commands = {
        name: flow.snakemake_command(Workspace(SMOKE, tmp_path), PROJECT / "profiles" / name, 4)
        for name in ("local", "slurm")
    }
    assert commands["local"][commands["local"].index("--resources") + 1] == "gpu=2"
    assert commands["local"][commands["local"].index("--cores") + 1] == "4"
    assert not {"--resources", "--cores"} & set(commands["slurm"])


def test_without_a_number_the_cores_are_those_that_this_process_was_granted(tmp_path, monkeypatch):
    monkeypatch.setattr(flow, "available", lambda: 3)
    command = flow.snakemake_command(Workspace(SMOKE, tmp_path), PROJECT / "profiles" / "local", None)
    assert command[command.index("--cores") + 1] == "3"


@pytest.mark.parametrize(("machines", "loaded"), [("local", []), ("slurm", ["kubernetes", "slurm"])])
def test_the_executors_of_clusters_are_loaded_for_a_cluster_alone(tmp_path, machines, loaded):
    workspace = Workspace(SMOKE, tmp_path)
    start = flow.snakemake_command(workspace, PROJECT / "profiles" / machines, 2)[1:3]
    watch = (
        "import atexit, runpy, sys; names = ('kubernetes', 'slurm');"
        "atexit.register(lambda: print([n for n in names if f'snakemake_executor_plugin_{n}' in sys.modules]));"
    )
    how = f"exec({start[1]!r})" if start[0] == "-c" else f"runpy.run_module({start[1]!r}, run_name='__main__')"
    call = [sys.executable, "-c", f"{watch} sys.argv = ['snakemake', '--version']; {how}"]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(loaded)


def test_any_path_reaches_jobs_that_have_another_environment(checkout):
    odd = checkout.parent / "it's $HOME, #1: a folder"
    elsewhere = {"TRAUNET_BUILD": "/elsewhere", "TRAUNET_DISFA": "/elsewhere"}
    done = snakemake(checkout, PROJECT / "profiles" / "slurm", "--dry-run", build=odd, **elsewhere)
    assert done.returncode == 0, done.stdout
    assert f"{odd.name}/smoke/done/store" in done.stdout
    assert "elsewhere" not in done.stdout
