"""All that one profile's book is made from, in one folder: each stage is found, or made if it is missing or stale.

A notebook, a command and the workflow all come through here, so that they agree on what exists and what is stale:

    from traunet.workspace import Workspace
    ws = Workspace.of("demo")
    ws.run("tranet", 1).history

The folder is `build/<profile>/`: `disfa` (the synthetic tree), `store`, `heads`, `heads_store` and `trunk` (other
heads, and the trunk trained on them), `runs`, `results`, `notebooks` (executed), `book` (staged), `site/html`,
`logs` and `done` (the marks by which Snakemake knows what is finished).
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from traunet import given
from traunet.config import FOLDS, PROFILES, VARIANTS, Profile, TrunkConfig, named
from traunet.data.layout import find_folders, refuse_strangers
from traunet.data.original import SUBJECTS
from traunet.keys import PREPARING, PRETRAINING, TABLES, WRITING_TREES, answers, stage_keys, tables_code
from traunet.model.releases import FILES
from traunet.records.keeping import digest, found_or_made, removed
from traunet.records.sources import refuse_edited
from traunet.scoring import published

if TYPE_CHECKING:
    from traunet.data.store import AlignedStore
    from traunet.machines.machine import Machine
    from traunet.runs import Run

PROJECT = Path(__file__).resolve().parent.parent  # the checkout: notebooks, pages and build/ lie here
SYNTHETIC, REAL = "synthetic DISFA", "DISFA"


@dataclass(frozen=True)
class Workspace:
    """One profile's folder below `root`, with DISFA and the trunk's weights if they are at hand.

    Every network is trained `seeds` times, each time from another seed: the tables are of the first, the profile's
    own, and the others tell how far chance moves them.
    """

    profile: Profile
    root: Path = PROJECT / "build"
    disfa: Path | None = None
    weights: Path | None = None
    seeds: int = 1

    def __post_init__(self):
        if self.seeds < 1:
            raise ValueError(f"seeds is {self.seeds}; give 1 or more")

    @classmethod
    def of(
        cls,
        profile: str,
        disfa: str | Path | None = None,
        weights: str | Path | None = None,
        root: str | Path | None = None,
        seeds: int | None = None,
    ) -> "Workspace":
        """The workspace of a profile, by its name.

        What is not given comes from the environment (TRAUNET_DISFA, TRAUNET_WEIGHTS, TRAUNET_BUILD and
        TRAUNET_SEEDS), through which the workflow tells the notebooks; so a notebook needs no other parameter than
        its profile.
        """
        chosen = named("profile", profile, PROFILES)
        # Without links: Snakemake tells files by name, and jobs elsewhere are told this one.
        folder = (given.path(root, "TRAUNET_BUILD") or PROJECT / "build").resolve()
        if {*"{}"} & {*os.path.relpath(folder, PROJECT)}:  # seen from there, as Snakemake is
            raise ValueError(
                f"{folder}: Snakemake fills in what stands in braces; name a TRAUNET_BUILD without any"
            )
        data = given.path(disfa, "TRAUNET_DISFA"), given.path(weights, "TRAUNET_WEIGHTS")
        times = (given.number("TRAUNET_SEEDS") or 1) if seeds is None else seeds
        return cls(chosen, folder, *data, times)

    @property
    def folder(self) -> Path:
        return self.root / self.profile.name

    @property
    def bench(self) -> Path:
        """What `make bench` measured on this machine, for the book's page on speed; it may be missing."""
        return self.root / "bench.json"

    @property
    def environment(self) -> dict[str, str]:
        """The variables through which `Workspace.of` finds this workspace again in another process."""
        places = {"TRAUNET_BUILD": self.root, "TRAUNET_DISFA": self.disfa, "TRAUNET_WEIGHTS": self.weights}
        paths = {name: str(path.resolve()) if path else "" for name, path in places.items()}
        return {**paths, "TRAUNET_SEEDS": str(self.seeds)}

    @property
    def dataset(self) -> str:
        """The name of the data set, as every page and every number states it.

        A folder given as DISFA may itself be a synthetic tree; the store's manifest knows.
        """
        return self.store().manifest["dataset"]

    @property
    def is_the_papers(self) -> bool:
        """Whether this is the paper's experiment: its settings, on its data set, upon a release for VGGFace2."""
        return self._has_the_papers_settings and self.dataset == REAL and self._has_the_papers_trunk

    @property
    def _has_the_papers_settings(self) -> bool:
        """Held against the record of them, as the profile `paper` may have been changed for a trial."""
        recorded = published.settings()["value"].to_dict()
        return {name: str(value) for name, value in self.profile.settings.items() if name in recorded} == recorded

    @property
    def _has_the_papers_trunk(self) -> bool:
        from traunet.model.weights import VGGFACE2, read_trunk

        return self.weights is not None and read_trunk(self.weights).release in VGGFACE2

    def check(self) -> None:
        """Raise at once, before hours of work, if something is missing that only the user can bring."""
        again = f"make book PROFILE={self.profile.name}"
        if self.disfa is None and self.profile.name == "paper":
            raise ValueError(
                f"profile 'paper' needs DISFA: {again} DISFA=dir WEIGHTS=file (data/README.md says how to get "
                "it); without it, take the profile demo"
            )
        if self.weights is None and self.profile.trunk is None:
            raise ValueError(
                f"profile {self.profile.name!r} needs the trunk's weights: {again} DISFA=dir WEIGHTS=file, "
                f"where file is {FILES} (book/reproduce.md says where they come from)"
            )
        self.check_weights_file()
        if self.disfa is not None:
            refuse_strangers(find_folders(self.disfa), SUBJECTS)

    def check_weights_file(self) -> None:
        """Raise FileNotFoundError if weights were given and there is no such file."""
        if self.weights is not None and not self.weights.is_file():
            what = "is a folder" if self.weights.exists() else "no such file"
            raise FileNotFoundError(f"{self.weights}: {what}; WEIGHTS must name a file of trunk weights")

    def check_weights(self) -> None:
        """Raise WeightsError, before hours of work, if weights were given that do not fit the profile's trunk."""
        if self.weights:
            from traunet.model.senet import SENet
            from traunet.model.weights import fill_trunk, load_trunk

            fill_trunk(SENet(self.profile.model), load_trunk(self.weights)[0], self.weights)

    @cached_property
    def keys(self) -> dict[str, str]:
        """For each stage a hash of all that its result depends on: settings, data, and the library's source.

        Computed once and before anything is made, so that the workflow can ask what is stale in a second or two.
        """
        self.check()
        return stage_keys(self.profile, self.disfa, self.weights, self.seeds)

    @property
    def _trunk(self) -> TrunkConfig:
        assert self.profile.trunk  # check() has seen to it
        return self.profile.trunk

    @property
    def _unfinished_trunk(self) -> Path:
        """Where a trunk's training keeps how far it has come."""
        return self.folder / f".trunk-{self.keys['trunk']}.unfinished"

    def tree(self, workers: int | None = None) -> Path:
        """The DISFA tree that was given, or the synthetic one, made in `workers` processes (None: one a core)."""
        self.check()
        if self.disfa:
            return self.disfa
        return self._made("disfa", self.keys["tree"], WRITING_TREES, lambda out: self._synthesise(out, workers))

    def store(self, workers: int | None = None) -> "AlignedStore":
        """The aligned frames of the tree, made in `workers` processes (None: one a core)."""
        from traunet.data.store import AlignedStore

        key, name = self.keys["store"], "store"
        store = self._made(name, key, PREPARING, lambda out: self._align(self.tree(workers), name, out, workers))
        return AlignedStore.open(store, self.profile.align)

    def heads(self, workers: int | None = None) -> "AlignedStore":
        """Aligned frames of the heads on which the trunk is trained; nothing else ever sees them.

        They are made in `workers` processes (None: one a core).
        """
        from traunet.data.store import AlignedStore

        self.check()
        key, name = self.keys["trunk"], "heads_store"
        tree = self._made("heads", key, WRITING_TREES, lambda out: self._synthesise_heads(out, workers))
        store = self._made(name, key, PRETRAINING, lambda out: self._align(tree, name, out, workers))
        return AlignedStore.open(store, self.profile.align)

    def trunk(self, machine: "Machine | None" = None) -> Path:
        """The file with the trunk's weights: the one that was given, or one trained on other synthetic heads."""
        self.check()
        if self.weights:
            return self.weights
        folder = self._made("trunk", self.keys["trunk"], PRETRAINING, lambda out: self._pretrain(out, machine))
        removed(self._unfinished_trunk)
        return folder / "trunk.pt"

    def seeded(self, again: int) -> Profile:
        """The profile with so much added to the seed of its training."""
        train = dataclasses.replace(self.profile.train, seed=self.profile.train.seed + again)
        return dataclasses.replace(self.profile, train=train)

    def run(self, variant: str, fold: int, machine: "Machine | None" = None, again: int = 0) -> "Run":
        """The trained network of a variant and a fold; `again` adds so much to the profile's seed."""
        return self._run(variant, fold, again, self.store(), self.trunk(machine), machine)

    def _run(
        self, variant: str, fold: int, again: int, store: "AlignedStore", trunk: Path, machine: "Machine | None"
    ) -> "Run":
        from traunet.runstore import train_run

        return train_run(store, trunk, self.seeded(again), variant, fold, self.folder / "runs", machine=machine)

    def runs(
        self, variants: Iterable[str] = VARIANTS, folds: Iterable[int] = FOLDS, again: int = 0
    ) -> "list[Run]":
        """Every trained network of the book; `again` adds so much to the profile's seed."""
        store, trunk = self.store(), self.trunk()
        return [self._run(variant, fold, again, store, trunk, None) for variant in variants for fold in folds]

    def every_run(self) -> "list[list[Run]]":
        """Every trained network of the book from each of its seeds, the profile's own first."""
        return [self.runs(again=number) for number in range(self.seeds)]

    def results(self) -> Path:
        """The folder with the tables and `results.json`."""
        (runs, *others), profile = self.every_run(), self.profile
        key = digest([[answers(trained) for trained in (runs, *others)], tables_code()])

        def write(out: Path) -> None:
            from traunet import report

            report.write(
                runs,  # pyright: ignore[reportArgumentType]: it takes a cached property for none
                out,
                profile=profile.name,
                dataset=self.dataset,
                papers=self.is_the_papers,
                threshold=profile.train.threshold,
                others=others,  # pyright: ignore[reportArgumentType]
            )

        return self._made("results", key, TABLES, write, sealed=True)

    def _made(
        self, name: str, key: str, code: Sequence[str], make: Callable[[Path], None], sealed: bool = False
    ) -> Path:
        def write(out: Path) -> None:
            refuse_edited(*code)
            make(out)

        return found_or_made(self.folder / name, key, write, sealed)

    def _synthesise(self, out: Path, workers: int | None) -> None:
        from traunet.synth.tree import write_tree

        write_tree(out, self.profile.synth, workers=workers)

    def _synthesise_heads(self, out: Path, workers: int | None) -> None:
        from traunet.synth.tree import heads, write_tree

        write_tree(out, self.profile.heads, heads(self._trunk.identities), workers=workers)

    def _align(self, tree: Path, name: str, out: Path, workers: int | None) -> None:
        from traunet.data.disfa import read_tree, warn_of_other_pictures
        from traunet.data.preparing import prepare

        read = read_tree(tree)
        warn_of_other_pictures(read)
        place = (self.folder / name).resolve()  # a link may lead to another disk
        unfinished = place.with_name(f".{place.name}.unfinished")  # outlives `out`, so that a killed one goes on
        prepare(read, out, self.profile.align, workers, resume=unfinished)

    def _pretrain(self, out: Path, machine: "Machine | None") -> None:
        from traunet.pretraining import pretrain

        heads = self.heads(machine.threads if machine else None)
        parts = (heads, self._trunk, self.profile.model, out / "trunk.pt")
        pretrain(*parts, machine=machine, resume=self._unfinished_trunk)
