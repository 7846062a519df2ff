"""What Snakemake says of a dry run becomes a line a job, with its reason, and nothing else."""

import pytest

from traunet.workflow.plan import table


def job(reason, rule="tables", output="done/results"):
    return f"""rule {rule}:
    input: done/store
    output: {output}
    jobid: 3
    reason: {reason}
    threads: 2
    resources: tmpdir=/tmp, runtime=60, gpu=1, mem_mb=8000, mem=8 GB, mem_mib=7630
"""


def told(*jobs, stale=None, cluster=False):
    return table("".join(["job  count\n---  ---\n", *jobs, "total  9\n"]).splitlines(), stale or {}, cluster)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Missing output files: done/results; Input files updated by another job: done/store", "missing"),
        ("Incomplete output files: done/results", "was not finished"),
        ("Updated input files: notebooks/01_data.ipynb", "changed since: 01_data"),
        ("Input files updated by another job: done/a, done/b, done/c", "follows from: a and 2 more"),
        ("Set of input files has changed since last execution", "made from more or fewer than before"),
        ("Params have changed since last execution: {'key'}", "its command or key has changed"),
        ("Something that a later Snakemake says", "Something that a later Snakemake says"),
    ],
)
def test_each_reason_is_told_in_our_words_and_an_unknown_one_in_snakemakes(reason, said):
    assert told(job(reason))[0] == f"results  2 cores  1 GPU  {said}"


def test_what_is_forced_is_told_with_our_reason_and_memory_and_time_on_a_cluster_alone():
    assert told(job("Forced execution"), stale={"results": "edited"})[0] == "results  2 cores  1 GPU  edited"
    assert told(job("Forced execution"), cluster=True)[0].split("  ")[2:5] == ["1 GPU", "8 GB", "60 min"]


@pytest.mark.parametrize("build", ["../disk,2/build", "../disk, 2; new: of us/build", "build"])
def test_a_job_is_told_by_its_name_whatever_the_build_folder_is_called(build):
    output, reason = f"{build}/smoke/done/results", "Input files updated by another job: "
    follows = f"{reason}{build}/smoke/done/train-1, {build}/smoke/done/train-2"
    assert told(job(follows, output=output))[0] == "results  2 cores  1 GPU  follows from: train-1 and 1 more"
    missing = f"Missing output files: {output}"
    assert told(job(missing, output=output), stale={"results": "edited"})[0] == "results  2 cores  1 GPU  edited"


def test_jobs_of_one_rule_are_told_together_and_the_whole_is_no_job():
    jobs = job("x", "notebook", "b.ipynb"), job("x"), job("x", "notebook", "a.ipynb"), "rule all:\n    jobid: 0\n"
    *lines, count = told(*jobs)
    assert [line.split()[0] for line in lines] == ["results", "a", "b"]
    assert count == "jobs: 3 (1 tables, 2 notebook); none was started"


def test_where_nothing_is_to_do_it_says_so():
    assert table(["Nothing to be done (all requested files are present and up to date)."], {}, False) == [
        "nothing to do: all is there, and as it would be made now"
    ]
