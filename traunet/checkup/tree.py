"""A whole DISFA tree, examined as a careful colleague would before months of work rest on it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from traunet.checkup.counts import fold_lines, intensity_lines, printed, some
from traunet.checkup.faces import FITS, errors, in_a_face, median
from traunet.checkup.origin import Origin, measure_origin
from traunet.checkup.readings import explanation, shift, twins
from traunet.checkup.subject import Examined, examine_subject
from traunet.data import original
from traunet.data.annotations import NO_LANDMARKS, TOLERATED_FILES
from traunet.data.disfa import BAD_FRAMES, marked_bad
from traunet.data.layout import (
    BAD_FRAMES_FILE,
    find_folders,
    find_videos,
    is_rendered,
    labelled_subjects,
    refuse_strangers,
)
from traunet.data.original import SUBJECTS
from traunet.machines import cores
from traunet.machines.advice import advice, one_line


def examine_tree(
    root: Path, threshold: int = 3, workers: int | None = None, progress: bool = True
) -> Iterator[str]:
    """Read everything of a tree, every frame of every video too: one line a finding, tables among them.

    What keeps the paper's tables from being made begins with `missing`, what else needs attention with `odd`.
    Never raises for what is in the tree. Subjects are examined side by side in `workers` processes (default: all
    cores), with progress on standard error.
    """
    try:
        folders = find_folders(root)
        names = sorted({*labelled_subjects(folders.labels), *_filmed(folders.videos)})
        if not names:
            raise FileNotFoundError(f"{root}: no subject; expected videos such as LeftVideoSN001_comp.avi")
    except (ValueError, OSError) as error:
        yield f"missing: {advice(error, root, reading=True)}"
        return
    subjects = _examined(root, folders, names, workers or cores.available(), progress)
    synthetic = is_rendered(root)
    kind = "synthetic DISFA" if synthetic else "DISFA"
    yield f"DISFA: {kind} with {len(names)} subjects at {one_line(str(root))}"
    yield from subject_lines(subjects)
    yield ""
    yield from intensity_lines(subjects, synthetic)
    yield from fold_lines(subjects, threshold)
    yield ""
    yield from face_lines(subjects)
    try:
        refuse_strangers(folders, SUBJECTS)
    except ValueError as error:
        yield f"missing: {error}"
    yield from complaints(subjects)
    if not synthetic:
        yield from unlike_disfa(subjects)


def _filmed(folder: Path) -> list[str]:
    try:
        return list(find_videos(folder))
    except ValueError:
        return []  # each subject's examination says it


def _examined(root: Path, folders, names: Sequence[str], workers: int, progress: bool) -> list[Examined]:
    with tqdm(total=len(names), desc="examining", unit="subject", disable=not progress) as bar:
        if min(workers, len(names)) == 1:
            return [_shown(bar, examine_subject(root, folders, name)) for name in names]
        with cores.side_by_side(min(workers, len(names)), "examining subjects") as pool:
            jobs = [pool.submit(examine_subject, root, folders, name) for name in names]
            for _ in as_completed(jobs):
                bar.update()
            return [_result(job, name) for job, name in zip(jobs, names, strict=True)]


def _shown(bar: tqdm, found: Examined) -> Examined:
    bar.update()
    return found


def _result(job, name: str) -> Examined:
    try:
        return job.result()
    except Exception as error:  # the process itself died, as for want of memory
        return Examined(name, problems=[f"{name} could not be examined ({type(error).__name__}); try again"])


def subject_lines(subjects: Sequence[Examined]) -> Iterator[str]:
    """One line a subject, then what the videos are."""
    rows = {
        one.subject: {
            "labels": one.frames,
            "video": one.film.decoded if one.film else 0,
            "damaged": len(one.film.damaged) if one.film else 0,
            "landmark files": sum(one.schemes.values()),
            "named": " + ".join(one.schemes) or "-",
            **{reason: one.reasons[reason] for reason in sorted({r for s in subjects for r in s.reasons})},
            "marked bad": int(one.marked.sum()),
            "usable": int(one.usable.sum()),
        }
        for one in subjects
    }
    table = pd.DataFrame(rows).T
    counts = table.drop(columns="named").astype(int).sum()
    table.loc["all"] = {**counts, "named": ""}
    yield from printed(table)
    kinds = Counter(
        f"{film.width} x {film.height}, {film.fps:g} frames/s, {film.codec}"
        for film in (one.film for one in subjects)
        if film
    )
    yield "videos: " + "; ".join(f"{count} of {kind}" for kind, count in kinds.most_common())
    if len(kinds) > 1:
        yield "odd: the videos differ in size, rate or codec; landmarks must be in each one's own pixels"


def face_lines(subjects: Sequence[Examined]) -> Iterator[str]:
    """Do the landmarks fit the pictures, as far as an independent detector sees; and where does counting begin?"""
    shown = [one for one in subjects if one.sightings.faces]
    seen = [one for one in shown if any(map(one.sightings.faces.get, one.sample.calm))]
    if not seen:
        yield "landmarks: no face was found in the pictures, so they were not held against any"
        if shown:
            yield "odd: dlib finds no face in any calm frame; are these the videos of the left camera, upright?"
        return
    inside = np.concatenate([in_a_face(one.sightings, one.sample.calm, one.landmarks) for one in shown])
    fits = {one.subject: median(errors(one.sightings, one.sample.calm, one.landmarks)) for one in seen}
    known, farthest = int(np.isfinite(inside).sum()), max(fits, key=lambda name: fits[name])
    usable = ", and count as usable all the same" if known < len(inside) else ""
    yield (
        f"landmarks: the midpoint of the eyes lies in a face in {int(np.nansum(inside))} of {known} sampled "
        f"frames ({len(inside) - known} more show dlib no face{usable})"
    )
    yield (
        f"landmarks: {median(np.array(list(fits.values()))):.3f} inter-ocular distances from dlib's "
        f"(median of subjects; {fits[farthest]:.3f} for {farthest})"
    )
    read = ((one.sightings, one.sample, one.landmarks + one.first_pixel - 1) for one in seen)
    yield from origin_lines(measure_origin(read), seen[0].first_pixel)
    everyone = {one.subject: one.landmarks for one in seen}
    yield from (
        f"odd: {one} and {other} have the same landmarks; whose are they?" for one, other in twins(everyone)
    )
    for one in shown:
        yield from _misfits(one, everyone, fits[one.subject]) if one.subject in fits else _faceless(one)


def _faceless(one: Examined) -> Iterator[str]:
    yield (
        f"odd: {one.subject}: dlib finds no face in any of its {len(one.sample.calm)} calm frames; is this its "
        f"video of the left camera, upright?"
    )


def _misfits(one: Examined, everyone: Mapping[str, np.ndarray], error: float) -> Iterator[str]:
    better = explanation(one.subject, one.sightings, one.sample, everyone)
    outside = int(np.nansum(1 - in_a_face(one.sightings, one.sample.calm, one.landmarks)))
    if better:
        yield (
            f"odd: landmarks of {one.subject} lie {error:.2f} inter-ocular distances from the face, but only "
            f"{better[1]:.2f} if {better[0]}"
        )
    elif not error < FITS:
        yield f"odd: landmarks of {one.subject} lie {error:.2f} inter-ocular distances off the face"
    elif outside:
        yield f"odd: {one.subject}: in {outside} sampled frames the midpoint of the eyes lies in no face"
    elif moved := shift(one.sightings, one.sample, one.landmarks):
        yield (
            f"odd: landmarks of {one.subject} fit the pictures better {moved.lag:+d} frames on, from about frame "
            f"{moved.frame}; are frames or landmark files missing before it?"
        )


def origin_lines(origin: Origin, read_as: int) -> Iterator[str]:
    """What can be said on whether coordinates start at 0 or 1, and what to do if not as they are read."""
    if not np.isfinite(origin.offset):
        yield f"coordinates: cannot tell whether they start at 0 or 1; {origin.subjects} subjects are too few"
        return
    measured = f"x, read as from 1, is {origin.offset:+.2f} px off dlib's, standard error {origin.error:.2f}"
    if origin.first_pixel is None:
        yield f"coordinates: cannot tell whether they start at 0 or 1; {measured}"
        return
    yield f"coordinates: they probably start at {origin.first_pixel}; {measured} (y: no telling)"
    if origin.first_pixel != read_as:
        yield (
            f"odd: coordinates are read as if they started at {read_as}; write "
            f"FIRST_PIXEL = {origin.first_pixel} into traunet/data/disfa.py, and what hangs on them is made anew"
        )


def complaints(subjects: Sequence[Examined]) -> Iterator[str]:
    """What is missing or odd, subject by subject."""
    names = {one.subject for one in subjects}
    if absent := sorted(set(SUBJECTS) - names):
        yield (
            f"odd: {len(absent)} of the {len(SUBJECTS)} subjects are not here: {', '.join(absent)}; a book is "
            f"made without them, and passes no verdict on what the paper prints"
        )
    if useless := [one.subject for one in subjects if not one.problems and not one.usable.any()]:
        yield (
            f"odd: not one frame of {', '.join(useless)} can be used; a book is made without them, and passes no "
            f"verdict on what the paper prints"
        )
    problems = dict.fromkeys(problem for one in subjects for problem in one.problems)
    yield from (f"missing: {problem}" for problem in problems)
    for one in subjects:
        yield from (f"odd: {note}" for note in one.notes)
        yield from _film_complaints(one)
        if count := int(one.no_face.sum()):
            yield (
                f"odd: landmarks of {one.subject} are no face, or none in the picture, in {count} frames (the "
                f"first is frame {one.no_face.argmax() + 1}), which are kept out; restore the landmark files"
            )
        if len(one.schemes) > 1:
            yield f"odd: {one.subject} has landmark files of both naming schemes: {dict(one.schemes)}"
        if one.reasons[NO_LANDMARKS] == TOLERATED_FILES and one.subject != "SN031":
            yield f"odd: one landmark file of {one.subject} is missing; in DISFA that is known of SN031 alone"


def unlike_disfa(subjects: Sequence[Examined]) -> Iterator[str]:
    """Where a real tree has other lengths, pictures, rates or bad frames than the data set was published with."""
    other = [
        f"{one.subject} {one.frames}"
        for one in subjects
        if one.frames != original.SHORTER.get(one.subject, original.LENGTH)
    ]
    if other:
        yield (
            f"odd: not as many labels as DISFA's {original.LENGTH} (SN010: one fewer): {some(other)}; are these "
            f"all lines, of this data set?"
        )
    width, height, rate = original.VIDEO
    films = [one.film for one in subjects if one.film]
    if strange := [
        film for film in films if (film.width, film.height) != (width, height) or abs(film.fps - rate) > 0.5
    ]:
        yield (
            f"odd: videos not of {width} x {height} at {rate} frames/s, as DISFA's are: "
            f"{some([film.path.name for film in strange])}; were they converted? Labels must be of these very "
            f"frames, landmarks in their pixels"
        )
    otherwise = {one.subject: _marked_otherwise(one) for one in subjects}
    if frames := sum(otherwise.values()):
        yield (
            f"odd: the tree's own {BAD_FRAMES_FILE} replaces the data set's log, and marks {frames} frames "
            f"otherwise, of {some([name for name, count in otherwise.items() if count])}; is that meant?"
        )


def _marked_otherwise(one: Examined) -> int:
    """Frames that the tree's own log marks bad and the data set's does not, or the other way round."""
    if len(one.marked) != one.frames:  # the log could not be read
        return 0
    return int((one.marked != marked_bad(BAD_FRAMES.get(one.subject, ()), one.frames)).sum())


def _film_complaints(one: Examined) -> Iterator[str]:
    film = one.film
    if film is None:
        return
    if film.damaged:
        yield f"odd: {film.path}: {len(film.damaged)} frames do not decode: {ranges(film.damaged)}; copy it again"
    if film.left_out:
        yield (
            f"odd: {film.path}: holds nothing for {len(film.left_out)} frames: {ranges(film.left_out)}, as of a "
            f"recorder that fell behind; they are kept out, and the others keep their numbers"
        )
    if film.lost and film.stored != one.frames:
        yield (
            f"odd: {film.path}: does not decode to its end: {film.promised} frames are promised, "
            f"{film.stored} are there; copy it again"
        )


def ranges(numbers: Sequence[int], most: int = 5) -> str:
    """Numbers in order, as one writes them: 1-3, 7, 9-12, ..."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    text = [str(first) if first == last else f"{first}-{last}" for first, last in runs[:most]]
    return ", ".join(text) + (f" and {len(runs) - most} more stretches" if len(runs) > most else "")
