"""The foot of a page: its source by the whole path, and times that say something."""

import pytest
from extensions import extension

from traunet.book import foot


def test_a_page_in_a_folder_of_its_own_is_named_by_its_whole_path(tmp_path):
    page = tmp_path / "book" / "api" / "data.md"
    page.parent.mkdir(parents=True)
    page.write_text("# Data\n")
    assert foot.of_page(page, tmp_path)["file"] == "book/api/data.md"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.004, "under 0.1 s"), (0.05, "0.1 s"), (9.34, "9.3 s"), (41.2, "41 s")]
)
def test_what_took_no_time_to_speak_of_is_not_said_to_have_taken_none(seconds, said):
    assert extension("foot").took("2026-11-22T20:00:00+00:00", seconds) == f"Made on 22 November 2026 in {said}"
