"""Every kind of bad input, in the order of the book's table: importing this enters them."""

# ruff: isort: off
import spoilt_trees
import spoilt_videos
import spoilt_stores
import spoilt_runs
import spoilt_media
import spoilt_book
import spoilt_machine

AREAS = (spoilt_trees, spoilt_videos, spoilt_stores, spoilt_runs, spoilt_media, spoilt_book, spoilt_machine)
