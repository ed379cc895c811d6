"""Times contenders in turns, so that a slow minute of the machine hits all of them."""

import statistics
import time
from collections.abc import Mapping

import numpy as np

from benchmarks.contenders import Contender

_WARM_UP = 2
_SAMPLES_IN_TURN = 2
_LEAST = 10


def in_turns(
    contenders: Mapping[str, Contender], iterations: int, seconds: float, chunk: int
) -> dict[str, dict]:
    """Times `iterations` of each contender, in turns of a few.

    Args:
      contenders: by name.
      iterations: of each.
      seconds: a contender that has used so many stops earlier, though not before ten.
      chunk: iterations that are timed together, as one sample.

    Returns:
      By name: `times`, seconds of one iteration, one for each sample; and of contenders in which
      experts compete `winners`, the mean number of those that won something.
    """
    found: dict[str, dict] = {name: {"times": []} for name in contenders}
    for contender in contenders.values():
        contender.run(_WARM_UP)  # compiles
    least = min(_LEAST, iterations)

    def unfinished(name):
        times = found[name]["times"]
        done, used = chunk * len(times), chunk * sum(times)
        return done < least or (done < iterations and used < seconds)

    while waiting := [name for name in contenders if unfinished(name)]:
        for name in waiting:
            for _ in range(_SAMPLES_IN_TURN):
                began = time.perf_counter()
                contenders[name].run(chunk)
                found[name]["times"].append((time.perf_counter() - began) / chunk)
                if winners := getattr(contenders[name], "distinct_winners", None):
                    found[name].setdefault("winners", []).append(winners())
    for result in found.values():
        if "winners" in result:
            result["winners"] = statistics.mean(result["winners"])
    return found


def summary(times: list[float]) -> dict[str, float]:
    """Median, quartiles, least and most of seconds."""
    low, median, high = (float(q) for q in np.percentile(times, (25, 50, 75)))
    return {
        "median": median,
        "quartiles": [low, high],
        "least": min(times),
        "most": max(times),
        "samples": len(times),
    }
