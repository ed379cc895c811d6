"""What was measured as tables in Markdown."""

from collections.abc import Sequence

from benchmarks.contenders import NAMES
from icm_jax.report import markdown as report_markdown

NO_TORCH = "PyTorch was not measured: not installed, or not asked for."
_RIVALS = ("jax", "plain", "best")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, all of text; its last line does not end."""
    return report_markdown.table(head, rows, numbers=False).removesuffix("\n")


def of_steps(found: dict) -> str:
    """The tables of `benchmarks.step`, and what must be known to read them."""
    rate = max(found["matrix_rates"].values())
    parts = [
        _machine(found),
        markdown(
            (
                "experts",
                *(f"{NAMES[n]} s" for n in _RIVALS),
                "plain / icm_jax",
                "best / icm_jax",
                *(f"MiB {NAMES[n]}" for n in _RIVALS),
                *(f"GFLOP/s {NAMES[n]}" for n in _RIVALS),
            ),
            [_row(entry, rate) for entry in found["experts"]],
        ),
        "Seconds of one iteration: median (quartiles); MiB: peak during iterations without what "
        "was there before; GFLOP/s: what a step cannot do without (`benchmarks/work.py`), and its "
        "share of the faster matrix product.",
        markdown(
            (
                "experts",
                "GFLOP",
                "at the matrix rate s",
                "MiB moved",
                "at the copy rate s",
                "binds",
                "icm_jax / floor",
                "distinct winners",
            ),
            [_floor(entry, rate, found["copy_bandwidth"]) for entry in found["experts"]],
        ),
    ]
    if found["replicas"]:
        parts.append(_replicas(found))
    if not found["torch"]:
        parts.append(NO_TORCH)
    return "\n\n".join(parts)


def _machine(found: dict) -> str:
    machine = found["machine"]
    versions = ", ".join(f"{name} {v}" for name, v in machine["versions"].items() if v)
    rates = ", ".join(f"{v / 1e9:.0f} by {name}" for name, v in found["matrix_rates"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {', '.join(machine['devices'])}; "
        f"{versions}; {machine['date']}; batch {found['batch']}, precision "
        f"{found['precision'] or 'default'}, convolution {found['convolution'] or 'default'}. "
        f"Matrix product: {rates} GFLOP/s; copying: {found['copy_bandwidth'] / 1e9:.0f} GB/s."
    )


def _row(entry: dict, rate: float) -> list[str]:
    results = entry["contenders"]
    ours = results.get("jax")

    def cell(name, text):
        return text(results[name]) if name in results else "–"

    def seconds(result):
        low, high = result["quartiles"]
        few = f", {result['samples']} samples" if result["samples"] < 10 else ""
        return f"{result['median']:.4g} ({low:.4g}–{high:.4g}{few})"

    def ratio(result):
        return f"{result['median'] / ours['median']:.2f}" if ours else "–"

    def memory(result):
        return f"{result['memory']['step'] / 2**20:.0f}" if "memory" in result else "–"

    def speed(result):
        flops = entry["work"]["flops"] / result["median"]
        return f"{flops / 1e9:.3g} ({flops / rate:.1%})"

    return [
        str(entry["experts"]),
        *(cell(name, seconds) for name in _RIVALS),
        *(cell(name, ratio) for name in _RIVALS[1:]),
        *(cell(name, memory) for name in _RIVALS),
        *(cell(name, speed) for name in _RIVALS),
    ]


def _floor(entry: dict, rate: float, bandwidth: float) -> list[str]:
    flops, moved = entry["work"]["flops"], entry["work"]["bytes"]
    arithmetic, copying = flops / rate, moved / bandwidth
    results = entry["contenders"]
    times = "–"
    if "jax" in results:
        times = f"{results['jax']['median'] / max(arithmetic, copying):.1f}"
    return [
        str(entry["experts"]),
        f"{flops / 1e9:.1f}",
        f"{arithmetic:.3g}",
        f"{moved / 2**20:.0f}",
        f"{copying:.3g}",
        "arithmetic" if arithmetic > copying else "memory",
        times,
        ", ".join(f"{NAMES[name]} {result['winners']:.1f}" for name, result in results.items()),
    ]


def _replicas(found: dict) -> str:
    count = found["replicas"]
    rows = []
    for entry in found["experts"]:
        result = entry["contenders"].get("replicas")
        if result is None:
            continue
        each = result["median"] / count
        alone = entry["contenders"].get("jax")
        gain = f"{alone['median'] / each:.2f}" if alone else "–"
        memory = f"{result['memory']['step'] / 2**20:.0f}" if "memory" in result else "–"
        speed = f"{entry['work']['flops'] / each / 1e9:.4g}"
        rows.append(
            [str(entry["experts"]), f"{result['median']:.4g}", f"{each:.4g}", gain, memory, speed]
        )
    head = ("experts", f"{count} replicas s", "each s", "alone / each", "MiB", "GFLOP/s")
    return markdown(head, rows)
