"""The server for the browser shows the folder to who knows its address, and to no other user of the machine."""

from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from traunet.book.chromium import served


def test_a_page_is_served_at_the_whole_address_alone(tmp_path):
    (tmp_path / "a.html").write_text("a face")
    with served(tmp_path) as address, served(tmp_path) as another:
        assert urlopen(f"{address}a.html").read() == b"a face"
        for first in ("/", urlsplit(another).path):
            with pytest.raises(HTTPError, match="404"):
                urlopen(f"http://{urlsplit(address).netloc}{first}a.html")
