"""The self-contained page of a run: one HTML file with everything in it, opens anywhere."""

import base64
import html
import json
import numbers
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from icm_jax.paths import replaced
from icm_jax.report import style
from icm_jax.report.story import Story

_CSS_DPI = 96
EARLIER = ", of an earlier run"  # in the name of a phase that this run did not take

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6470; --paper: #fff; --line: #d8dce2;
  --tint: #f4f6f8; --link: #0b62b8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #9aa3ad; --paper: #14171a; --line: #343a41; --tint: #1d2126;
    --link: #7db8f5; }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto 4rem; padding: 0 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.3; margin: .2rem 0 1.5rem; text-wrap: balance; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .8rem; }
h3, h4 { font-size: 1rem; margin: 1.2rem 0 .3rem; } h4 { font-weight: 400; }
a { color: var(--link); } .soft, figcaption { color: var(--soft); }
p.soft { font-size: .9rem; margin: .3rem 0; }
.wide { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem 1.2rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
td, thead th { text-align: right; } thead th { color: var(--soft); vertical-align: bottom; }
th { font-weight: 500; }
td { white-space: nowrap; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
.result table { width: 100%; }
.result td:last-child, .result th:last-child { padding-right: 0; }
figure { margin: 1.2rem 0; } figcaption { font-size: .8rem; }
img { display: block; max-width: 100%; background: #fff; border-radius: 4px; }
pre { background: var(--tint); padding: .7rem .9rem; border-radius: 4px; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: .85rem; margin: .5rem 0; }
pre span { display: inline-block; max-width: 100%; }
details { border-top: 1px solid var(--line); padding: .7rem 0; }
details:first-of-type { margin-top: 2.5rem; } summary { cursor: pointer; font-weight: 500; }
@media (max-width: 40rem) {
  body { margin-top: 1rem; } h1 { font-size: 1.3rem; } th, td { padding-right: .8rem; }
  table { font-size: .9rem; }
  section figure { overflow-x: auto; } section img { max-width: max(100%, 36rem); }
}
"""

# What stands elsewhere on the page, or on that of each seed
_NO_RESULTS = ("system", "config", "seed", "phases", "seeds", "table", "summaries")


def write(
    path: str | os.PathLike,
    title: str,
    story: Story,
    summary: Mapping[str, Any],
    figures: Mapping[str, str | os.PathLike],
    phases: Mapping[str, Mapping[str, float]],
    provenance: Mapping[str, Any],
) -> None:
    """Writes the page of a run, whole or not at all.

    Args:
      path: of the HTML file.
      title: of the page.
      story: what the run came to; figures that it names are shown where there are such.
      summary: as in `summary.json`; what is not in the story is folded away, with the config.
      figures: name -> PNG file, embedded; those that the story does not name are folded away.
      phases: name -> `steps`, `seconds` and `compile_seconds`.
      provenance: as `icm_jax.report.provenance.collect` makes it; empty where it is not known.

    Raises:
      OSError: a figure cannot be read or the page not be written.
    """
    path = Path(path)
    drawn = {name: _figure(name, Path(file), path.parent) for name, file in figures.items()}
    named = (story.picture, *story.curves)
    config = json.dumps(summary.get("config", {}), indent=2)
    numbers_ = {name: value for name, value in summary.items() if name not in _NO_RESULTS}
    page = "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>",
            f'<p class="soft">{html.escape(title)}</p><h1>{html.escape(story.sentence)}</h1>',
            drawn.get(story.picture, ""),
            _result(story),
            _section("Along training", [drawn[name] for name in story.curves if name in drawn]),
            _section("How it was made", [_making(phases, provenance)]),
            _folded("More figures", [text for name, text in drawn.items() if name not in named]),
            _folded("All numbers, as in summary.json", [_value(numbers_, 3)] if numbers_ else []),
            _folded("Config", [f"<pre>{html.escape(config)}</pre>"]),
            "</body></html>\n",
        ]
    )
    with replaced(Path(path)) as unfinished:
        unfinished.write_text(page, encoding="utf-8", errors="backslashreplace")


def _section(heading: str, parts: Sequence[str]) -> str:
    """Parts under a heading; nothing where there are none."""
    return "\n".join([f"<section><h2>{heading}</h2>", *parts, "</section>"]) if parts else ""


def _folded(heading: str, parts: Sequence[str]) -> str:
    """Parts behind a heading that opens them; nothing where there are none."""
    if not parts:
        return ""
    return "\n".join([f"<details><summary>{heading}</summary>", *parts, "</details>"])


def _result(story: Story) -> str:
    """The table of a story and what must be known to read it."""
    table = ""
    if story.head:
        rows = [
            [_linked(name, story.links), *map(html.escape, cells)] for name, *cells in story.rows
        ]
        table = f'<div class="result">{_table(rows, [*map(html.escape, story.head)])}</div>'
    return "\n".join([table, *(f'<p class="soft">{html.escape(note)}</p>' for note in story.notes)])


def _linked(name: str, links: Mapping[str, str]) -> str:
    # A long name may be parted where its words meet.
    text = html.escape(name).replace("_", "_<wbr>").replace("(", "<wbr>(")
    return f'<a href="{html.escape(links[name])}">{text}</a>' if name in links else text


def _making(phases: Mapping[str, Mapping[str, float]], provenance: Mapping[str, Any]) -> str:
    """The command, where and with what it ran, and how long each phase took."""
    parts = [_origin(provenance)] if provenance else []
    rows = [
        [_words(name), str(of["steps"]), *(_seconds(of[k]) for k in ("seconds", "compile_seconds"))]
        for name, of in phases.items()
    ]
    own = [of for name, of in phases.items() if EARLIER not in name]
    sums = (sum(of[k] for of in own) for k in ("seconds", "compile_seconds"))
    rows.append(["all", "", *map(_seconds, sums)])
    parts.append(_table(rows, ["phase", "steps", "training (s)", "compilation (s)"]))
    seeds = provenance.get("seeds", [])
    if len(seeds) > 1:
        parts.append(f'<p class="soft">Seconds of all {len(seeds)} seeds, trained at once.</p>')
    return "\n".join(parts)


def _origin(provenance: Mapping[str, Any]) -> str:
    made = "<p>From Python, by icm_jax.experiment.run with the config below.</p>"
    if provenance["command"]:
        words = " ".join(f"<span>{html.escape(word)}</span>" for word in provenance["command"])
        made = f"<pre>{words}</pre>"
    devices = provenance["devices"]
    kinds = ", ".join(f"{devices.count(kind)} × {kind}" for kind in dict.fromkeys(devices))
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    facts = {
        "date": provenance["date"],
        "machine": f"{provenance['processor']}, {provenance['cores']} cores; devices: {kinds}",
        "versions": versions,
    }
    lines = "".join(f"<br>{name}: {html.escape(fact)}" for name, fact in facts.items())
    return f"{made}<p>{lines.removeprefix('<br>')}</p>"


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _value(values: Mapping[str, Any], level: int) -> str:
    """Numbers and names of a dict as one table, then its inner dicts under headings.

    What is None or empty is left out.
    """
    values = {k: v for k, v in values.items() if v is not None and v not in ([], {}, ())}
    if values and all(_is_row(value) for value in values.values()):
        return _rows(values)
    leaves = {k: v for k, v in values.items() if not isinstance(v, Mapping)}
    parts = [_table([[_words(k), _text(v)] for k, v in leaves.items()])] if leaves else []
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
    body = [[_words(k), *(_text(row.get(c)) for c in columns)] for k, row in values.items()]
    return _table(body, ["", *map(_words, columns)])


def _table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """A table of HTML texts; the first of each row names it."""
    named = "".join(f'<th scope="col">{text}</th>' for text in head)
    lines = [
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{text}</td>" for text in cells)}</tr>'
        for name, *cells in rows
    ]
    above = f"<thead><tr>{named}</tr></thead>" if head else ""
    body = "\n".join(lines)
    return f'<div class="wide"><table>{above}<tbody>{body}</tbody></table></div>'


def _text(value: Any) -> str:
    """A value for a cell, as HTML; a matrix is left to its figure."""
    if isinstance(value, list | tuple):
        nested = any(isinstance(v, list | tuple) for v in value)
        return "see the figures" if nested else ", ".join(_text(v) for v in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        return f"{value:.4g}"
    return "" if value is None else html.escape(str(value))


def _words(name: str) -> str:
    return html.escape(str(name).replace("_", " "))


def _figure(name: str, file: Path, folder: Path) -> str:
    """An embedded image as large as it was drawn; below it where it lies, seen from `folder`."""
    png = file.read_bytes()
    data = base64.b64encode(png).decode("ascii")
    (pixels,) = struct.unpack(">I", png[16:20])  # the width, in the first chunk
    width = round(pixels * _CSS_DPI / style.DPI)
    return (
        f'<figure><img alt="{_words(name)}" style="width: {width}px" '
        f'src="data:image/png;base64,{data}">'
        f"<figcaption>{html.escape(os.path.relpath(file, folder))}</figcaption></figure>"
    )
