import base64
import re
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from icm_jax.report import html, style
from icm_jax.report.story import Story

SUMMARY = {
    "system": "icm",
    "config": {"note": "<script>alert(1)</script>", "experts": {"count": 2}},
    "seed": 3,
    "phases": {"competition": {"steps": 9, "seconds": 1.23456, "compile_seconds": 2.0}},
    "specialization": {"mechanisms": ["a", "b"], "wins": [[0.9, 0.1], [0, 1]], "identified": 2},
    "idle": [],
    "kept": None,
    "flags": {"solved": True},
    "accuracy": {"restored": 0.97531, "per_mechanism": {"up_left": {"restored": 0.5}}},
}
STORY = Story(
    "2 of 2 <solved>",
    picture="grid",
    head=["mechanism", "accuracy (%)"],
    rows=[["up_left", "6.8 → 44.4"], ["<all>", "5.0"]],
    curves=["absent", "scores"],
    notes=["Idle: none."],
    links={"up_left": "seed_0/report.html"},
)
PHASES = SUMMARY["phases"] | {"judge": {"steps": 5, "seconds": 120.4, "compile_seconds": 0.5}}
PROVENANCE = {
    "command": ["python", "launch.py", "--config.mechanisms=\"('a',)\""],
    "date": "2026-11-26",
    "seeds": [0],
    "processor": "Fast & Co",
    "cores": 2,
    "devices": ["H100", "H100", "cpu"],
    "versions": {"python": "3.11.7", "jax": "0.10.2"},
}


def written(folder, **changes):
    """The page, its figures `figures/<name>.png` 2 inches wide, in the order given here."""
    (folder / "figures").mkdir()
    figures = {name: folder / "figures" / f"{name}.png" for name in ("other", "scores", "grid")}
    for path in figures.values():
        Figure(figsize=(2, 1), dpi=style.DPI).savefig(path)
    arguments = dict(
        story=STORY, summary=SUMMARY, figures=figures, phases=PHASES, provenance=PROVENANCE
    )
    html.write(folder / "r.html", "a & b", **arguments | changes)
    assert [p.name for p in folder.iterdir() if p.suffix == ".tmp"] == []
    return (folder / "r.html").read_text()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return written(tmp_path_factory.mktemp("page"))


class Tags(HTMLParser):
    """Checks that what is opened is closed, and collects attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.sources = [], []

    def handle_starttag(self, tag, attributes):
        self.sources += [v for k, v in attributes if k in ("src", "href")]
        if tag not in ("meta", "img", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_is_well_formed_and_needs_nothing_else(page, tmp_path):
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    Figure(figsize=(2, 1), dpi=style.DPI).savefig(tmp_path / "x.png")
    embedded = base64.b64encode((tmp_path / "x.png").read_bytes()).decode()
    image = f"data:image/png;base64,{embedded}"
    assert tags.sources == [image, "seed_0/report.html", image, image]
    assert "http" not in page and "url(" not in page


def test_its_parts_stand_in_the_order_of_a_reader(page):
    parts = [
        "<h1>2 of 2 &lt;solved&gt;</h1>",
        "figures/grid.png",
        ">mechanism</th>",
        "Idle: none.",
        "<h2>Along training</h2>",
        "figures/scores.png",
        "<h2>How it was made</h2>",
        "<summary>More figures</summary>",
        "figures/other.png",
        "<summary>All numbers, as in summary.json</summary>",
        "<summary>Config</summary>",
    ]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    assert all(page.count(part) == 1 for part in parts)


def test_text_is_escaped(page):
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "<title>a &amp; b</title>" in page
    assert "<all>" not in page and "Fast &amp; Co" in page


def test_figures_are_as_large_as_drawn(page):
    # 2 inches of 96 pixels, whatever the resolution of the file.
    assert page.count('style="width: 192px"') == 3


def cells(page):
    """The page with every row of a table as its texts between bars."""
    bare = re.sub(r"</?(?:a|wbr)\b[^>]*>", "", page)
    return re.sub(r"<t[hd][^>]*>([^<]*)</t[hd]>", r"|\1", bare)


@pytest.mark.parametrize(
    "row",
    [
        "|up_left|6.8 → 44.4",
        # How it was made
        "|competition|9|1.2|2.0",
        "|judge|5|120|0.5",
        "|all||122|2.5",
        # All numbers
        "|restored|0.9753",
        "|identified|2",
        "|wins|see the figures",
        "|mechanisms|a, b",
        "|up left|0.5",
        "|solved|yes",
    ],
)
def test_numbers_stand_in_tables(page, row):
    assert f"<tr>{row}</tr>" in cells(page)


def test_what_is_empty_has_no_row(page):
    assert "|idle" not in cells(page) and "|kept" not in cells(page)


def test_rows_lead_to_other_pages(page):
    assert '<a href="seed_0/report.html">up_<wbr>left</a>' in page


def test_how_it_was_made(page):
    command = re.search("<pre>(.*?)</pre>", page)[1]
    words = re.findall("<span>(.*?)</span>", command)
    assert words == ["python", "launch.py", "--config.mechanisms=&quot;(&#x27;a&#x27;,)&quot;"]
    assert "date: 2026-11-26<br>" in page
    assert "machine: Fast &amp; Co, 2 cores; devices: 2 × H100, 1 × cpu<br>" in page
    assert "versions: python 3.11.7, jax 0.10.2" in page
    assert "trained at once" not in page


def test_seconds_of_several_seeds_say_so(tmp_path):
    page = written(tmp_path, provenance=PROVENANCE | {"seeds": [0, 1], "command": None})
    assert "Seconds of all 2 seeds, trained at once." in page
    assert "From Python, by icm_jax.experiment.run" in page


def test_what_is_not_known_is_left_out(tmp_path):
    summary = {"system": "icm", "config": {}, "seeds": [0, 1], "table": {}, "summaries": []}
    page = written(tmp_path, story=Story("Done"), figures={}, summary=summary, provenance={})
    for part in ("Along training", "More figures", "All numbers", "<pre>python", "date:"):
        assert part not in page
    assert cells(page).count("<tr>") == 4  # phases alone


def test_the_config_is_folded_away_whole(page):
    assert re.search(
        r"<details><summary>Config</summary>\s*<pre>.*&quot;count&quot;: 2", page, re.S
    )


def test_seconds_of_an_earlier_run_are_not_among_all(tmp_path):
    one = {"steps": 5, "seconds": 10.0, "compile_seconds": 1.0}
    phases = {"training": one, f"judge{html.EARLIER}: training": one | {"seconds": 500.0}}
    page = written(tmp_path, phases=phases)
    assert '<th scope="row">all</th><td></td><td>10.0</td><td>1.0</td>' in page
