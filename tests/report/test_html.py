import base64
import re
from html.parser import HTMLParser

import pytest

from icm_jax.report import html

SUMMARY = {
    "system": "icm",
    "config": {"note": "<script>alert(1)</script>", "experts": {"count": 2}},
    "seed": 3,
    "phases": {"competition": {"steps": 9, "seconds": 1.23456, "compile_seconds": 2.0}},
    "specialization": {"mechanisms": ["a", "b"], "wins": [[0.9, 0.1], [0, 1]], "identified": 2},
    "accuracy": {"restored": 0.97531, "per_mechanism": {"up_left": {"restored": 0.5}}},
}


@pytest.fixture
def page(tmp_path):
    (tmp_path / "grid.png").write_bytes(b"not really a PNG")
    html.write(tmp_path / "r.html", "a & b", SUMMARY, {"the_grid": tmp_path / "grid.png"}, [{}, {}])
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".tmp"] == []
    return (tmp_path / "r.html").read_text()


class Tags(HTMLParser):
    """Checks that what is opened is closed, and collects attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.sources = [], []

    def handle_starttag(self, tag, attributes):
        self.sources += [v for k, v in attributes if k in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_is_well_formed_and_needs_nothing_else(page):
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    embedded = base64.b64encode(b"not really a PNG").decode()
    assert tags.sources == [f"data:image/png;base64,{embedded}"]
    assert "http" not in page


def test_text_is_escaped(page):
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "<title>a &amp; b</title>" in page


@pytest.mark.parametrize(
    "row",
    [
        "<th>seed</th><td>3</td>",
        "<th>restored</th><td>0.9753</td>",
        "<th>identified</th><td>2</td>",
        "<th>wins</th><td>see the figures</td>",
        "<th>mechanisms</th><td>a, b</td>",
        "<th>competition</th><td>9</td><td>1.235</td><td>2</td>",
        "<th>up left</th><td>0.5</td>",
    ],
)
def test_numbers_stand_in_tables(page, row):
    assert row in re.sub(r"\s*\n\s*", "", page)


def test_the_config_is_folded_away_whole(page):
    assert re.search(r"<details><summary>Config</summary><pre>.*&quot;count&quot;: 2", page, re.S)
