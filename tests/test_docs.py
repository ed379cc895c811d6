"""Pages of documentation: what they link to and what they name is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not re.match(r"\.|(runs|build|dist|venv)$", path.relative_to(ROOT).parts[0])
)


def without_code(text):
    return re.sub(r"```.*?```|^    .*?$|`[^`]*`", "", text, flags=re.S | re.M)


def anchors(page):
    """The anchors of a page's headings, as they are made from the text of each."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings]


def links(page):
    """The links of a page to files and to headings: (path, anchor)."""
    targets = re.findall(r"\]\(([^)\s]*)\)", without_code(page.read_text()))
    relative = [target for target in targets if not re.match(r"[a-z]+:", target)]
    return [(target.partition("#")[0], target.partition("#")[2]) for target in relative]


def test_links_and_pictures_are_there():
    found = [(page, *link) for page in PAGES for link in links(page)]
    assert len(found) > 50, "links are no longer recognized"
    for page, path, anchor in found:
        target = page.parent / path if path else page
        assert target.exists(), f"{page.relative_to(ROOT)}: {path}"
        assert not anchor or anchor in anchors(target), f"{page.relative_to(ROOT)}: {path}#{anchor}"


def test_files_that_pages_name_are_there():
    named = r"`((?:icm_jax|configs|docs|benchmarks)/[\w./]*)`|--config=(configs/[\w/]*\.py)"
    names = {
        (page.relative_to(ROOT).as_posix(), "".join(name))
        for page in PAGES
        for name in re.findall(named, page.read_text())
    }
    assert len(names) > 50, "names are no longer recognized"
    assert {(page, name) for page, name in names if not (ROOT / name).exists()} == set()


def test_every_result_is_shown():
    shown = {(page.parent / path).resolve() for page in PAGES for path, _ in links(page)}
    pictures = set((ROOT / "docs").rglob("*.png"))
    assert pictures - shown == set()


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


def test_every_study_is_listed():
    listed = re.findall(r"^\| `(\w+\.py)` \|", (ROOT / "docs/studies.md").read_text(), re.M)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "configs/study").glob("*.py"))
