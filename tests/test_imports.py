"""The rules of the house: who may import whom. Imports are read from the files, not run."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The public interface names what users import, of whichever system.
OUTSIDE = ("icm_jax", "icm_jax.systems.registry")


def name_of(path: Path) -> str:
    """`icm_jax/data/__init__.py` -> `icm_jax.data`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted((ROOT / "icm_jax").rglob("*.py"))}


def imported(path: Path) -> Iterator[str]:
    """The modules of the package that a file imports, in functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


IMPORTS = {name: set(imported(path)) - {name} for name, path in MODULES.items()}


def room(name: str) -> str:
    """The system that a module belongs to, or ''."""
    parts = name.split(".")
    inside = parts[1:2] == ["systems"] and (ROOT / "icm_jax" / "systems" / "".join(parts[2:3]))
    return parts[2] if inside and len(parts) > 2 and inside.is_dir() else ""


ROOMS = {room(name) for name in MODULES} - {""}


def test_the_rooms_are_found():
    assert {"icm", "stable_features"} <= ROOMS
    assert "icm_jax.systems.icm" in IMPORTS["icm_jax.systems.registry"]
    assert "icm_jax.chunks" in IMPORTS["icm_jax.classification"]


def test_only_the_registry_and_the_public_interface_import_systems():
    found = {
        (name, other)
        for name, others in IMPORTS.items()
        for other in others
        if room(other) and room(name) != room(other) and name not in OUTSIDE
    }
    assert not found


def test_the_command_line_imports_no_system():
    found = set(imported(ROOT / "launch.py"))
    assert "icm_jax.experiment" in found and not {other for other in found if room(other)}


def test_no_system_imports_another():
    found = {
        (name, other)
        for name, others in IMPORTS.items()
        for other in others
        if room(name) and room(other) and room(name) != room(other)
    }
    assert not found


def test_no_system_imports_what_stands_above_it():
    above = ("icm_jax.systems.registry", "icm_jax.experiment", "icm_jax.study", "icm_jax")
    found = {
        (name, other)
        for name, others in IMPORTS.items()
        for other in others
        if room(name) and (other in above or other.startswith("icm_jax.study."))
    }
    assert not found


def test_the_loop_and_what_measures_and_draws_know_no_system():
    def below(name, *folders):
        return any(name.startswith(f"icm_jax.{folder}") for folder in folders)

    found = {
        (name, other)
        for name, others in IMPORTS.items()
        for other in others
        if (below(name, "training") and below(other, "systems"))
        or (below(name, "report", "evaluation") and below(other, "systems", "training"))
    }
    assert not found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Names of which each imports the next and the last the first; none where there is no such."""
    done: set[str] = set()

    def search(name, path):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            if found := search(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := search(name, []))), [])


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_imports_go_in_no_circle():
    assert not circle(IMPORTS)


def test_imports_go_in_no_circle_between_folders():
    # A module at the top of the package is a place of its own; a folder is one with all in it.
    def place(name):
        parts = name.split(".")
        if room(name):
            return ".".join(parts[:3])
        return ".".join(parts[:2]) if len(parts) > 2 and parts[1] != "systems" else name

    between: dict[str, set[str]] = {}
    for name, others in IMPORTS.items():
        if name != "icm_jax":
            between.setdefault(place(name), set()).update(place(o) for o in others)
    for name, others in between.items():
        others.discard(name)
    assert not circle(between)
