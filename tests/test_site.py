"""The last look at a built site, on pages written by hand."""

import pytest

from traunet.book import site

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
            built("<a href='https://example.org'>elsewhere</a><a id='here' href='#here'>h</a>"),
            ["a"],
            "Profile smoke",
        )
        == []
    )


def test_an_empty_site_and_a_missing_page_are_faults(built, tmp_path):
    assert site.faults(tmp_path, ["a"], None) == ["the page a is missing: build the site again"]
    assert site.faults(built(), ["a", "b"], None) == ["the page b is missing: build the site again"]


def test_an_empty_page_is_a_fault(built):
    assert site.faults(built(page="<article><h1>T</h1></article>"), ["a"], None) == [
        "a: it is empty; write it, or take it out of _toc.yml"
    ]
    assert site.faults(built(page="<article>text</article>"), ["a"], None) == [
        "a: it has no heading; begin it with one, '# Title'"
    ]


@pytest.mark.parametrize("page", ["", " \n", "<!-- nothing but a remark -->"])
def test_a_file_that_is_no_page_is_a_fault(built, page):
    assert site.faults(built(page=page), ["a"], None) == ["a: it has no heading; begin it with one, '# Title'"]


@pytest.mark.parametrize(
    "before",
    [
        "<div>" * 400 + "</div>" * 400,
        "<p>" + "x" * 11_000_000,
        "<img alt='a' src='data:," + "x" * 11_000_000 + "'>",
    ],
)
def test_what_lies_deep_in_a_page_or_behind_much_is_looked_at_too(built, before):
    found = site.faults(built(f"{before}<a href='lost.html'>lost</a>"), ["a"], None)
    assert found == ["a.html: it links to lost.html, which is not there; correct the link"]


def test_a_page_without_the_banner_is_a_fault(built):
    found = site.faults(built(banner=""), ["a"], "<b>Profile</b> smoke")
    assert found == [
        "a.html: it does not show the banner with its profile and data set; restore html: announcement"
    ]


def fault(built, more):
    """The one fault of a site whose page holds something more."""
    found = site.faults(built(more), ["a"], None)
    assert len(found) == 1, found
    return found[0]


def test_a_foot_does_not_fill_an_empty_page(built):
    page = "<article><h1>T</h1><p class='made'>" + "words " * 20 + "</p></article>"
    assert site.faults(built(page=page), ["a"], None) == ["a: it is empty; write it, or take it out of _toc.yml"]


def test_a_picture_that_is_missing_or_empty_is_a_fault(built, tmp_path):
    picture = "<img src='x.png' alt='A face'>"
    assert fault(built, picture) == "a.html: it shows x.png, which is not there; correct the address"
    (tmp_path / "x.png").touch()
    assert fault(built, picture) == "a.html: it shows x.png, which is empty; make it again"


@pytest.mark.parametrize("text", ["", "alt", "alt=''", "alt='  '", "alt='x.png'", "alt='../_images/0a1b.svg'"])
def test_a_picture_without_alternative_text_or_with_its_files_name_for_one_is_a_fault(built, tmp_path, text):
    (tmp_path / "x.png").write_bytes(b"a picture")
    assert fault(built, f"<img src='x.png' {text}>").startswith(
        "a.html: the picture x.png has no alternative text; write it: ![text](file), or in the cell's metadata"
    )


def test_a_logo_beside_the_article_needs_alternative_text_too(built, tmp_path):
    (tmp_path / "logo.png").write_bytes(b"a picture")
    found = site.faults(built(page="<img src='logo.png'>" + GOOD), ["a"], None)
    assert [text.partition(";")[0] for text in found] == ["a.html: the picture logo.png has no alternative text"]


def test_a_link_that_leads_nowhere_within_the_site_is_a_fault(built):
    assert fault(built, "<a href='b.html#x'>b</a>") == (
        "a.html: it links to b.html#x, which is not there; correct the link"
    )


def test_a_link_to_a_place_that_a_page_does_not_have_is_a_fault(built, tmp_path):
    (tmp_path / "b.html").write_text("<p id='there'>b</p><a name='old'></a><a href='#'>top</a>")
    good = "<i id='here'></i><a href='#here'></a><a href='b.html#there'></a><a href='b.html#old'></a>"
    assert site.faults(built(good), ["a"], None) == []
    assert fault(built, "<a href='#gone'></a>") == (
        "a.html: it links to #gone, and a.html has no such place; correct the link"
    )
    assert fault(built, "<a href='b.html#gone'></a>") == (
        "a.html: it links to b.html#gone, and b.html has no such place; correct the link"
    )


OUTSIDE = "https://example.org/x"


@pytest.mark.parametrize(
    "tag",
    [
        "<script src='{}'></script>",
        "<img src='{}' alt='A face'>",
        "<img srcset='{} 2x' alt='A face'>",
        "<link rel='stylesheet' href='{}'>",
        "<video poster='{}'></video>",
        "<object data='{}'></object>",
        "<svg><image href='{}'></image></svg>",
        "<p style='background: url({})'></p>",
        "<style>@import '{}';</style>",
    ],
)
def test_anything_that_a_page_loads_from_the_network_is_a_fault(built, tag):
    # Beside the article, where the theme has tags of these kinds too.
    assert site.faults(built(banner=tag.format(OUTSIDE)), ["a"], None) == [
        f"a.html: it loads {OUTSIDE} from the network; ship the file with the site, or take it out"
    ]


@pytest.mark.parametrize("style", ["p {{ background: url({}) }}", '@import "{}";', "@import url('{}');"])
def test_anything_that_a_style_sheet_loads_from_the_network_is_a_fault(built, tmp_path, style):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "theme.css").write_text(style.format(OUTSIDE))
    assert fault(built, "").startswith(f"_static/theme.css: it loads {OUTSIDE} from the network")


def test_a_style_sheet_may_hold_pictures_and_name_files_beside_it_but_none_that_are_not_there(built, tmp_path):
    (tmp_path / "font.woff2").write_bytes(b"a font")
    sheet = tmp_path / "a.css"
    sheet.write_text(
        "/* url(https://example.org) */ p { background: url(data:image/png;base64,AA==), url('font.woff2') }"
    )
    assert site.faults(built(), ["a"], None) == []
    sheet.write_text("@font-face { src: url(gone.woff2?v=1) }")
    assert fault(built, "").startswith("a.css: it shows gone.woff2?v=1, which is not there")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("<details open ontoggle='steal()'>x</details>", "the attribute ontoggle='steal()'"),
        ("<a href='java&#10;script:steal()'>x</a>", "the attribute href='java\\nscript:steal()'"),
        ("<script>steal()</script>", "<script>"),
        ("<p class='math'>\\(\\href{javascript:steal()}{x}\\)</p>", "a link in a formula"),
    ],
)
def test_what_a_browser_would_run_is_a_fault_and_the_themes_own_is_none(built, more, said):
    own = "<button onclick='window.print()'>Print</button><script>theirs()</script>"
    assert site.faults(built(more, banner=own), ["a"], None) == [
        f"a.html: a browser would run something in it, {said}; take out the output that holds it"
    ]
