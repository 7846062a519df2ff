"""The commands: each finds or makes one thing, by the same calls as a notebook, and says on its last line what."""

import argparse
import dataclasses
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from traunet.config import FOLDS, VARIANTS, named
from traunet.machines.advice import advice, concerns_memory, concerns_writing, harmless, one_line
from traunet.machines.ending import Terminated, code_of, printing, say, tell, terminable
from traunet.machines.memory import keep_freed, peak
from traunet.machines.starting import from_known_places
from traunet.options import count, number, of_a_workspace, place
from traunet.workspace import PROJECT, Workspace

if TYPE_CHECKING:
    from traunet.machines.machine import Machine
    from traunet.runs import Run

BAD_INPUT = 2
GOES_ON = "the same command goes on from what is finished"


@dataclass(frozen=True)
class Made:
    """What a command found or made, and a word on it; `stage` names it in a workspace, if it belongs to one."""

    paths: Sequence[Path]
    stage: str = ""
    note: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; what the user can mend is one line on standard error, and a 2."""
    with printing(), from_known_places():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    (given, unknown), started = parser().parse_known_args(arguments), time.perf_counter()
    if unknown:
        given.parser.error(f"unrecognized arguments: {' '.join(unknown)}")  # with the usage of this command
    try:
        with terminable(), warnings.catch_warnings():
            warnings.showwarning = _show_warning
            made = given.command(given)
            if made:
                _finish(given, made, time.perf_counter() - started)
            tell(end="")
    except (ValueError, OSError, MemoryError) as error:
        return code_of(error) or _refuse(error, given)
    except RuntimeError as error:
        if not (concerns_writing(error) or concerns_memory(error)):  # torch tells so of a full disk or memory
            raise
        return _refuse(error, given)
    except (KeyboardInterrupt, SystemError, Terminated) as stop:
        if (code := code_of(stop)) is None:
            raise
        whole = given.command in (_predict, _bench, _pdf) or (given.command is _synth and given.out)
        say(f"traunet: stopped; {'nothing was written' if whole else GOES_ON}")
        return code
    return 0


def _refuse(error: Exception, given: argparse.Namespace) -> int:
    out = getattr(given, "out", None)
    folder = out.parent if out else Path(os.environ.get("TRAUNET_BUILD") or PROJECT / "build")
    say(f"traunet: {advice(error, folder)}")
    return BAD_INPUT


def _show_warning(message: Warning | str, category: type[Warning], *_) -> None:
    """Ours, about the user's data, in one line; those of other packages are not for the user."""
    if category is UserWarning:
        say(f"traunet: warning: {one_line(str(message))}")


def _finish(given: argparse.Namespace, made: Made, seconds: float) -> None:
    if getattr(given, "done", None):
        from traunet.workflow import marks

        marks.write(given.done, _workspace(given), made.stage, made.paths)
    what = [os.path.relpath(path) for path in made.paths] if len(made.paths) == 1 else []
    # The book's page on how to reproduce reads these two from the logs (book/_ext/records.py).
    tell(harmless(": ".join([*what, *filter(None, [made.note])])) + f" ({seconds:.0f} s, {peak():.1f} GB)")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser("traunet", description="Upper, middle and lower region learning for facial AUs.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    workspace = [of_a_workspace()]

    def add(name: str, command: Callable, text: str, parents: Sequence[argparse.ArgumentParser] = workspace):
        added = commands.add_parser(name, help=text, description=text, parents=parents, allow_abbrev=False)
        added.set_defaults(command=command, parser=added)
        return added

    synth = add("synth", _synth, "write a synthetic DISFA tree")
    synth.add_argument("out", type=place, nargs="?", help="a new folder (default: the profile's own)")
    synth.add_argument("--seed", type=number, help="other heads and other acting; needs OUT")
    prepare = add("prepare", _prepare, "read a DISFA tree, align its frames, store them")
    prepare.add_argument("--out", type=place, help="a new folder for the store (default: the profile's own)")
    for divided in (synth, prepare):
        divided.add_argument("--workers", type=count, help="processes side by side (default: one a core)")
    pretrain = add("pretrain", _pretrain, "train the small trunk on other synthetic heads")
    train = add("train", _train, "train one network, on one fold or more")
    train.add_argument("--store", type=place, help="a store of aligned frames (default: the profile's own)")
    train.add_argument("--variant", required=True, metavar="V", help=", ".join(VARIANTS))
    train.add_argument("--fold", required=True, type=int, nargs="+", choices=FOLDS, help="one or more")
    train.add_argument("--again", type=number, default=0, metavar="N", help="add N to the seed (default: 0)")
    for trained in (pretrain, train):
        trained.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
        trained.add_argument("--threads", type=int, help="on the CPU (default: torch's)")
        trained.add_argument(
            "--workers", type=number, help="processes that decode frames (default: none on a CPU)"
        )
        trained.add_argument(
            "--devices", type=int, default=1, help="GPUs, or with --device cpu processes, that share every batch"
        )
    add("tables", _tables, "predictions to tables and results.json; trains first what is not trained yet")
    notebook = add("notebook", _notebook, "execute one notebook of the book; makes first what is missing for it")
    notebook.add_argument("name", help="such as 01_data")
    add("site", _site, "build the site from the executed notebooks")
    add("pdf", _pdf, "print the built site as one PDF; needs Chromium")
    book = add("book", _book, "all of these in order: whatever is missing or stale, up to the site")
    book.add_argument("--cores", type=count, help="(default: all)")
    book.add_argument(
        "--machines", default="local", metavar="M", help="local, slurm, kubernetes, or a folder of yours"
    )
    book.add_argument("--dry-run", action="store_true", help="only say what would be made, and why")
    judged = "(default: paper with a DISFA, else demo)"
    add("doctor", _doctor, "what is here, what is missing, what is odd", [of_a_workspace(None, judged)])
    bench = add("bench", _bench, "measure speed and memory here, for the book's page on them", parents=())
    bench.add_argument("--full", action="store_true", help="all 27 videos instead of two (an hour and a half)")
    bench.add_argument("--out", type=place, help="(default: bench.json in the build folder)")
    predict = add("predict", _predict, "action units of a photograph or video", parents=())
    predict.add_argument("file", type=place)
    predict.add_argument("--run", type=place, required=True, help="the folder of a trained network")
    predict.add_argument("--out", type=place, required=True, metavar="FILE.csv")
    predict.add_argument("--overlay", type=place, metavar="FILE", help="draw the faces, into a .png, .jpg or .mp4")
    predict.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    return top


def _workspace(given: argparse.Namespace) -> Workspace:
    return Workspace.of(given.profile, given.disfa, given.weights, seeds=given.seeds)


def _machine(given: argparse.Namespace) -> "Machine":
    from traunet.machines.machine import Machine

    machine = Machine(given.device, given.threads, given.workers, given.devices)
    machine.check()  # before anything is rendered for it
    return machine


def _synth(given: argparse.Namespace) -> Made:
    workspace = _workspace(given)
    if given.out is None:
        if given.seed is not None:
            raise ValueError("--seed needs OUT, a new folder: the profile's own tree has the profile's seed")
        return Made([workspace.tree(given.workers)], "tree")
    from traunet.synth.tree import write_tree

    config = workspace.profile.synth
    seed = config.seed if given.seed is None else given.seed
    write_tree(given.out, dataclasses.replace(config, seed=seed), workers=given.workers)
    return Made([given.out])


def _prepare(given: argparse.Namespace) -> Made:
    from traunet.data.disfa import read_tree, warn_of_other_pictures
    from traunet.data.preparing import prepare

    workspace = _workspace(given)
    if given.out is None:
        store, stage = workspace.store(given.workers), "store"
    else:
        tree = read_tree(workspace.tree(given.workers))
        warn_of_other_pictures(tree)
        store, stage = prepare(tree, given.out, workspace.profile.align, given.workers), ""
    return Made([store.path], stage, f"{len(store.usable)} of {len(store)} frames aligned")


def _pretrain(given: argparse.Namespace) -> Made:
    keep_freed()
    return Made([_workspace(given).trunk(_machine(given))], "trunk")


def _train(given: argparse.Namespace) -> Made:
    named("variant", given.variant, VARIANTS)  # before anything is rendered for it
    if given.seeds:
        raise ValueError("--seeds is for book, tables, notebook and site; a network from another seed: --again 1")
    keep_freed()
    workspace, machine = _workspace(given), _machine(given)
    if given.store is None:
        return _trained([workspace.run(given.variant, fold, machine, given.again) for fold in given.fold])
    from traunet.data.store import AlignedStore
    from traunet.runstore import train_run

    store, trunk = AlignedStore.open(given.store, workspace.profile.align), workspace.trunk(machine)
    rest, runs = (workspace.seeded(given.again), given.variant), workspace.folder / "runs"
    return _trained([train_run(store, trunk, *rest, fold, runs, machine=machine) for fold in given.fold])


def _trained(runs: "list[Run]") -> Made:
    taken = ", ".join(f"{run.provenance['chosen_epoch']} of {len(run.history)}" for run in runs)
    folds = ", ".join(str(run.fold) for run in runs)
    return Made([run.path for run in runs], "runs", f"{runs[0].variant}, fold {folds}: took epoch {taken}")


def _tables(given: argparse.Namespace) -> Made:
    return Made([_workspace(given).results()], "results")


def _notebook(given: argparse.Namespace) -> Made:
    from traunet.book import chapters, contents, freshness

    given.name = given.name.removesuffix(".ipynb")
    named("notebook", given.name, dict.fromkeys(contents.notebooks()))
    workspace = _workspace(given)
    workspace.check()
    os.environ.update(workspace.environment)  # through which the notebook's own Workspace.of finds this one
    source = PROJECT / "notebooks" / f"{given.name}.ipynb"
    out = workspace.folder / "notebooks" / source.name
    record = freshness.record(workspace, source)
    return Made([chapters.execute(source, out, {"profile": given.profile}, record)])


def _site(given: argparse.Namespace) -> Made:
    from traunet.book.publish import publish

    return Made([publish(_workspace(given))], "results")


def _pdf(given: argparse.Namespace) -> Made:
    from traunet.book import contents, printing, publish

    workspace = _workspace(given)
    site, pages = workspace.folder / "site", contents.pages()
    printing.check_pages(site / "html", pages)  # before the banner asks for the data set, which would be rendered
    title = contents.read_settings(PROJECT / "_config.yml")["title"]
    made = printing.print_book(site / "html", pages, site / "traunet.pdf", title, publish.banner(workspace))
    return Made([made.path], note=f"{made.pages} pages, {made.chapters} chapters")


def _book(given: argparse.Namespace) -> Made | None:
    from traunet.workflow.flow import make_book

    made = make_book(_workspace(given), given.cores, given.dry_run, given.machines)
    return None if given.dry_run else Made([made], note="open it in a browser")


def _predict(given: argparse.Namespace) -> Made:
    from traunet.detect import caveat, load_network, predict_file
    from traunet.machines.machine import Machine
    from traunet.runs import Run

    run, device = Run.open(given.run, answers=False), Machine(given.device).torch_device()
    net, align = load_network(run)
    found = predict_file(given.file, net.to(device), align, given.out, given.overlay, note=caveat(run))
    if caveat(run):
        tell(caveat(run))
    drawn = f", drawn in {os.path.relpath(given.overlay)}" if given.overlay else ""
    return Made([given.out], note=f"{found}{drawn}")


def _bench(given: argparse.Namespace) -> Made:
    from traunet.bench import gpu, preparation, step
    from traunet.bench.report import benchmark
    from traunet.machines.machine import Machine

    Machine().torch_device()  # a GPU that cannot be used is better told now than after minutes of measuring
    out = given.out or Workspace.of("demo").bench
    options = {"preparation": {"full": True}} if given.full else {}
    parts = {"preparation": preparation.measure, "step": step.measure, "gpu": gpu.measure}
    taken = benchmark(out, parts, **options)
    missed = sum(figure.holds is False for figures in taken.values() for figure in figures)
    return Made([out], note=f"{missed} bars missed" if missed else "all bars held")


def _doctor(given: argparse.Namespace) -> None:
    from traunet.doctor import examine

    if not given.profile:
        given.profile = "paper" if Workspace.of("paper", given.disfa).disfa else "demo"
    line = ""
    for line in examine(_workspace(given)):
        tell(harmless(line))
    if line.startswith("not fit"):
        raise SystemExit(1)
