"""The last look at a built site, on pages written by hand."""

import pytest

from traunet import site

GOOD = (
    "<html><body><p>{banner}</p><article><h1>Title</h1><p>" + "words " * 20 + "</p>{more}</article></body></html>"
)


@pytest.fixture
def built(tmp_path):
    def write(more="", banner="Profile smoke", page=GOOD):
        (tmp_path / "index.html").write_text("<meta http-equiv='refresh' content='0; url=a.html'>")
        (tmp_path / "a.html").write_text(page.format(banner=banner, more=more))
        return tmp_path

    return write


def test_a_whole_site_has_no_faults(built):
    assert (
        site.faults(
            built("<a href='https://example.org'>elsewhere</a><a href='#here'>h</a>"), ["a"], "Profile smoke"
        )
        == []
    )


def test_an_empty_site_and_a_missing_page_are_faults(built, tmp_path):
    assert site.faults(tmp_path, ["a"], None) == ["the page a is missing"]
    assert site.faults(built(), ["a", "b"], None) == ["the page b is missing"]


def test_an_empty_page_is_a_fault(built):
    assert site.faults(built(page="<article><h1>T</h1></article>"), ["a"], None) == ["a: it is empty"]
    assert site.faults(built(page="<article>text</article>"), ["a"], None) == ["a: it has no heading"]


def test_a_page_without_the_banner_is_a_fault(built):
    found = site.faults(built(banner=""), ["a"], "<b>Profile</b> smoke")
    assert found == ["a.html: it does not show the banner with its profile and data set"]


def test_a_picture_that_is_missing_or_empty_is_a_fault(built, tmp_path):
    assert site.faults(built("<img src='x.png'>"), ["a"], None) == ["a.html: it shows x.png, which is not there"]
    (tmp_path / "x.png").touch()
    assert site.faults(built("<img src='x.png'>"), ["a"], None) == ["a.html: it shows x.png, which is empty"]


def test_a_link_that_leads_nowhere_within_the_site_is_a_fault(built):
    assert site.faults(built("<a href='b.html#x'>b</a>"), ["a"], None) == [
        "a.html: it links to b.html#x, which is not there"
    ]


@pytest.mark.parametrize(
    "tag", ["<script src='{}'></script>", "<img src='{}'>", "<link rel='stylesheet' href='{}'>"]
)
def test_anything_loaded_from_the_network_is_a_fault(built, tag):
    address = "https://example.org/x"
    assert site.faults(built(tag.format(address)), ["a"], None) == [f"a.html: it loads {address} from the network"]
