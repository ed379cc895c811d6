"""The lists of packages, each written once, and the version, the same all over."""

import importlib.metadata
import re
import tomllib
from collections import Counter
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LISTS = PROJECT["tool"]["setuptools"]["dynamic"]
EXTRAS = {name: entry["file"] for name, entry in LISTS["optional-dependencies"].items()}
FORBIDDEN = re.compile(r"tensorflow(-(cpu|gpu|intel))?|torch|nvidia-.*|jax-cuda.*|triton|cuda-.*")


def lines(path):
    """The lines of a list of requirements, comments and empty lines left out."""
    kept = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in kept if line]


def files_read(path):
    """The files without -r that pip reads for a file of requirements, in its order."""
    included = [line.removeprefix("-r ") for line in lines(path) if line.startswith("-r ")]
    if not included:
        return [path.relative_to(ROOT).as_posix()]
    assert len(included) == len(lines(path)), f"{path}: packages are written in requirements/"
    return [file for name in included for file in files_read(path.parent / name)]


def requirements(files):
    return [Requirement(line) for name in files for line in lines(ROOT / name)]


def test_the_package_needs_what_requirements_say():
    default = LISTS["dependencies"]["file"]
    clone = default + EXTRAS["counterfactual"] + EXTRAS["test"]
    assert files_read(ROOT / "requirements.txt") == clone
    assert files_read(ROOT / "requirements-cuda.txt") == clone + EXTRAS["cuda"]
    assert files_read(ROOT / "requirements-benchmark.txt") == clone + EXTRAS["benchmark"]
    assert sorted(EXTRAS) == ["benchmark", "counterfactual", "cuda", "test"]
    assert {"jax", "flax"} <= {each.name for each in requirements(default)}
    assert "pytest" in {each.name for each in requirements(EXTRAS["test"])}


def test_every_package_is_written_once():
    every = requirements(p.relative_to(ROOT) for p in (ROOT / "requirements").glob("*.txt"))
    counts = Counter(canonicalize_name(each.name) for each in every if not each.extras)
    assert {name for name, count in counts.items() if count > 1} == set()
    # An extra of a package, jax[cuda12], has the versions of the package itself.
    for each in every:
        assert not each.extras or (each.name in counts and not each.specifier), each


def test_only_the_package_is_installed():
    assert PROJECT["tool"]["setuptools"]["packages"]["find"] == {"include": ["icm_jax*"]}
    without = [
        folder
        for folder in (ROOT / "icm_jax").rglob("*")
        if folder.is_dir() and list(folder.glob("*.py")) and not (folder / "__init__.py").exists()
    ]
    assert without == [], "a folder without __init__.py is left out"


def needed(requirement, seen):
    """Adds the names of all that an installed requirement needs, itself included, to `seen`."""
    name = canonicalize_name(requirement.name)
    if (name, *requirement.extras) in seen:
        return
    seen.add((name, *requirement.extras))
    for text in importlib.metadata.requires(name) or ():
        each = Requirement(text)
        extras = ("", *requirement.extras)
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
            needed(each, seen)


def test_nothing_brings_tensorflow_or_pytorch_or_cuda():
    seen = set()
    for each in requirements(files_read(ROOT / "requirements.txt")):
        needed(each, seen)
    names = {name for name, *_ in seen}
    assert {"jaxlib", "tensorflow-datasets"} <= names
    assert {name for name in names if FORBIDDEN.fullmatch(name)} == set()


def test_the_version_is_the_same_all_over():
    version = PROJECT["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    released = re.findall(r"^## \[(\d.*)\] - (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert (citation["version"], str(citation["date-released"])) == released[0]
    assert citation["version"] == version
    assert citation["license"] == PROJECT["project"]["license"] == "Apache-2.0"
    assert citation["cff-version"] == "1.2.0" and citation["title"].startswith("icm_jax")
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()


def test_continuous_integration_runs_what_is_claimed():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    ruff = re.findall(r'"(ruff==[^"]*)"', (ROOT / ".ci/run").read_text())
    assert [hook["additional_dependencies"] for hook in hooks] == [ruff, ruff]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    oldest, newest = workflow["jobs"]["run"]["strategy"]["matrix"]["include"]
    assert PROJECT["project"]["requires-python"] == f">={oldest['python']}"
    (jax,) = (each for each in requirements(LISTS["dependencies"]["file"]) if each.name == "jax")
    lowest = oldest["jax"].removeprefix("jax==").removesuffix(".*")
    assert f">={lowest}" in str(jax.specifier).split(",")
    assert newest["jax"].removeprefix("jax") in str(jax.specifier).split(",")
