"""The self-contained page of a run: one HTML file with everything in it, opens anywhere."""

import base64
import html
import json
import numbers
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from icm_jax.paths import replaced

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #667; --paper: #fff; --line: #d8dce2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #9aa3ad; --paper: #14171a; --line: #343a41; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left; }
td { text-align: right; } th { font-weight: 500; }
figure { margin: 1.5rem 0; } figcaption { color: var(--soft); }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
pre { overflow-x: auto; }
"""


def write(
    path: str | os.PathLike,
    title: str,
    summary: Mapping[str, Any],
    figures: Mapping[str, str | os.PathLike],
    records: Sequence[Mapping[str, Any]],
) -> None:
    """Writes the page of a run, whole or not at all.

    Args:
      path: of the HTML file.
      title: of the page.
      summary: as in `summary.json`; every entry becomes a table, `config` folded away.
      figures: name -> PNG file, embedded in this order.
      records: as in `metrics.jsonl`; how many there are is said.

    Raises:
      OSError: a figure cannot be read or the page not be written.
    """
    results = {k: v for k, v in summary.items() if k not in ("config", "phases", "system")}
    config = json.dumps(summary.get("config", {}), indent=2)
    page = "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{html.escape(title)}</h1>",
            _value(results, 2),
            "<h2>Figures</h2>",
            *(_figure(name, Path(file)) for name, file in figures.items()),
            "<h2>Training</h2>",
            _value(summary.get("phases", {}), 3),
            f"<p>{len(records)} records in metrics.jsonl.</p>",
            f"<details><summary>Config</summary><pre>{html.escape(config)}</pre></details>",
            "</body></html>\n",
        ]
    )
    with replaced(Path(path)) as unfinished:
        unfinished.write_text(page, encoding="utf-8", errors="backslashreplace")


def _value(values: Mapping[str, Any], level: int) -> str:
    """Numbers and names of a dict as one table, then its inner dicts under headings."""
    if values and all(_is_row(value) for value in values.values()):
        return _rows(values)
    leaves = {k: v for k, v in values.items() if not isinstance(v, Mapping)}
    parts = [_table([[k, _text(v)] for k, v in leaves.items()])] if leaves else []
    for name, inner in values.items():
        if isinstance(inner, Mapping):
            heading = f"h{min(level, 4)}"
            parts += [f"<{heading}>{_words(name)}</{heading}>", _value(inner, level + 1)]
    return "\n".join(parts)


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(
        isinstance(v, Mapping | list | tuple) for v in value.values()
    )


def _rows(values: Mapping[str, Mapping[str, Any]]) -> str:
    """Dicts of the same kind as one table, a row each."""
    columns = list(dict.fromkeys(column for row in values.values() for column in row))
    body = [[name, *(_text(row.get(c)) for c in columns)] for name, row in values.items()]
    return _table(body, ["", *columns])


def _table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    lines = ["".join(f"<th>{_words(c)}</th>" for c in header)] if header else []
    for name, *cells in rows:
        numbers_ = "".join(f"<td>{html.escape(c)}</td>" for c in cells)
        lines.append(f"<th>{_words(name)}</th>{numbers_}")
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table>{body}</table></div>'


def _text(value: Any) -> str:
    """A value for a cell; a matrix is left to its figure."""
    if isinstance(value, list | tuple):
        nested = any(isinstance(v, list | tuple) for v in value)
        return "see the figures" if nested else ", ".join(_text(v) for v in value)
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _words(name: str) -> str:
    return html.escape(str(name).replace("_", " "))


def _figure(name: str, file: Path) -> str:
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{_words(name)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{_words(name)}</figcaption></figure>"
    )
