"""The fields of all systems and examinations for a reader: as tables, and as help.

`python -m icm_jax.systems.fields > docs/fields.md` writes the tables anew.
"""

import textwrap
from collections.abc import Iterator, Sequence

from ml_collections import ConfigDict

from icm_jax.report.markdown import table
from icm_jax.schema import Row, Schema, describe_fields
from icm_jax.systems.registry import SYSTEMS, kind_of

_HEAD = """# Fields of the configs

Written by `python -m icm_jax.systems.fields > docs/fields.md`; the fields are written, and to be
changed, in `icm_jax/schema.py` and the `config.py` of each system. Words before a colon name those
that alone use a field.
"""


def markdown() -> str:
    """A table for each system, one for those whose fields are the same, then the examinations."""
    sections = [*_systems(), *_examinations()]
    return "\n".join([_HEAD, *(f"## {title}\n\n{_table(rows)}" for title, rows in sections)])


def help_text(config: ConfigDict) -> str:
    """All fields of a config as flags, with its values, and defaults where these differ.

    Of a study's config, those of its `base`.

    Raises:
      ValueError: there is no such system.
    """
    if "base" in config:
        return _flags(config.base, "config.base")
    return _flags(config, "config")


def _systems() -> Iterator[tuple[str, Sequence[Row]]]:
    rows_of = {
        system: [row for row in describe_fields(kind.schema) if row.name != "system"]
        for system, kind in SYSTEMS.items()
    }
    for system, rows in rows_of.items():
        alike = [f"`{name}`" for name, others in rows_of.items() if others == rows]
        if alike[0] == f"`{system}`":
            yield f"System {', '.join(alike)}", rows


def _examinations() -> Iterator[tuple[str, Sequence[Row]]]:
    for system, kind in SYSTEMS.items():
        for name, examination in kind.examinations.items():
            title = f"Examination `{name}` of finished runs of `{system}`"
            yield title, describe_fields(examination.settings)


def _table(rows: Sequence[Row]) -> str:
    head = ("field", "default", "allowed", "what it is")
    texts = [(f"`{r.name}`", f"`{r.default!r}`", r.allowed, r.text) for r in rows]
    return table(head, texts, numbers=False)


def _flags(config: ConfigDict, prefix: str) -> str:
    schema: Schema = kind_of(config).schema
    lines = []
    for row in describe_fields(schema):
        value = config
        for name in row.name.split("."):
            value = value[name]
        default = "" if value == row.default else f"; its default is {row.default!r}"
        lines.append(f"--{prefix}.{row.name}={value!r}")
        lines.append(
            textwrap.fill(
                f"{row.text} ({row.allowed}{default})",
                width=90,
                initial_indent="    ",
                subsequent_indent="    ",
            )
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(), end="")
