"""DISFA as it was published: what a copy of it is held against."""

SUBJECTS = tuple(f"SN{number:03d}" for number in (*range(1, 14), 16, 17, 18, 21, *range(23, 33)))
LENGTH, SHORTER = 4845, {"SN010": 4844}  # labelled frames of a subject, and of who has others
FRAMES = 26 * LENGTH + SHORTER["SN010"]  # of all 27
USABLE = 126_144  # of them, not marked bad in its log
VIDEO = 1024, 768, 20  # width, height and frames a second
