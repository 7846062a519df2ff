"""DISFA as it was published: what a copy of it is held against."""

LENGTH, SHORTER = 4845, {"SN010": 4844}  # labelled frames of a subject, and of who has others
FRAMES = 26 * LENGTH + SHORTER["SN010"]  # of all 27
USABLE = 126_144  # of them, not marked bad in its log
VIDEO = 1024, 768, 20  # width, height and frames a second
