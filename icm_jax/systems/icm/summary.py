"""What an ICM run came to: specialization, and how well images are restored, in numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import chex
import numpy as np
from ml_collections import ConfigDict
from scipy.special import expit

from icm_jax import mechanisms
from icm_jax.evaluation.groups import group_mean
from icm_jax.report import series
from icm_jax.system import Evaluation
from icm_jax.systems.icm.restoration import SSIM_SIDE, psnr, ssim, variation
from icm_jax.systems.icm.specialization import (
    first_kept,
    identified,
    idle,
    mechanisms_found,
    win_matrix,
)


def summarize(
    names: Sequence[str],
    mechanism: np.ndarray,
    found,
    sample_outputs: np.ndarray,
    passing: Mapping[str, Mapping[str, Any]],
) -> Evaluation:
    """The evaluation of N test images under M mechanisms.

    Args:
      names: of the mechanisms.
      mechanism: int `[N]` in [0, M), that of each image.
      found: what the experts made of them, see `evaluation.EvaluatedImages`.
      sample_outputs: float `[E, M, H, W, C]` in [0, 1], what every expert makes of the first M
        images.
      passing: what the judge says, see `summarize_passed`; empty where there is none.
    """
    count, experts = len(names), found.scores.shape[1]
    wins = win_matrix(found.winner, mechanism, count, experts)
    solved, unused = identified(wins), idle(wins)
    decibels = _measure_psnr(names, mechanism, found)
    probabilities = expit(found.scores.astype(np.float64))
    of_mechanisms = [group_mean(probabilities[:, e], mechanism, count) for e in range(experts)]
    said = {"identified": int(solved.sum()), "identified_mechanisms": solved.tolist()}
    specialization = {
        "mechanisms": list(names),
        "wins": wins.tolist(),
        **said,
        "idle": np.flatnonzero(unused).tolist(),
        "found": mechanisms_found(probabilities, found.winner, np.flatnonzero(~unused)),
    }
    arrays = {
        "wins": wins,
        "identified": solved,
        "inputs": found.transformed[:count],
        "outputs": sample_outputs,
        "winners": found.winner[:count],
    }
    if found.originals is not None:
        arrays["originals"] = found.originals[:count]
    return Evaluation(
        scalars={
            **said,
            **_name_shares(passing),
            **({"psnr": _mean_psnr(decibels["psnr"])} if decibels["psnr"] else {}),
            "scores": np.stack(of_mechanisms, axis=1).tolist(),  # [M, E]
        },
        summary={
            "specialization": specialization,
            # None where no judge or no original can tell.
            "accuracy": None,
            "called_canonical": None,
            **passing,
            **decibels,
            "variation": _variation(mechanism, found),
        },
        arrays=arrays,
    )


def _name_shares(passing: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    return {
        f"{name}_{kind}": share
        for name, shares in passing.items()
        for kind, share in overall(shares).items()
    }


def _measure_psnr(
    names: Sequence[str], mechanism: np.ndarray, found
) -> dict[str, dict[str, float] | None]:
    """PSNR by mechanism of what the experts made and of what they saw; None without originals."""
    if found.originals is None:
        return {"psnr": None, "psnr_transformed": None}
    kinds = {"psnr": found.restored, "psnr_transformed": found.transformed}
    result = {}
    for kind, images in kinds.items():
        means = group_mean(psnr(images, found.originals), mechanism, len(names))
        result[kind] = dict(zip(names, means.tolist(), strict=True))
    return result


def _mean_psnr(by_mechanism: Mapping[str, float]) -> float:
    return float(np.mean(list(by_mechanism.values())))


def summarize_passed(
    names: Sequence[str],
    mechanism: np.ndarray,
    passed: np.ndarray,
    kinds: Sequence[str],
    canonical: float,
) -> dict[str, Any]:
    """The fraction of images that a judge lets pass, by their kind and by mechanism.

    Args:
      names: of M mechanisms.
      mechanism: int `[N]` in [0, M).
      passed: bool `[N, 3]`; canonical (of no use here), transformed and restored images.
      kinds: what those three are called.
      canonical: the fraction of canonical images that pass, in [0, 1].

    Returns:
      Kind -> fraction in [0, 1], and in `per_mechanism` name -> the same of the last two kinds.

    Raises:
      AssertionError: `passed` is not `[N, 3]`.
    """
    chex.assert_shape(passed, (len(mechanism), 3))
    before, after = (group_mean(p, mechanism, len(names)).tolist() for p in passed.T[1:])
    return {
        **dict(zip(kinds, [canonical, *passed[:, 1:].mean(axis=0).tolist()], strict=True)),
        "per_mechanism": {
            name: {kinds[1]: t, kinds[2]: r}
            for name, t, r in zip(names, before, after, strict=True)
        },
    }


def overall(shares: Mapping[str, Any]) -> dict[str, float]:
    """Of the result of `summarize_passed` the fraction of each kind, under whichever mechanism."""
    return {kind: share for kind, share in shares.items() if kind != "per_mechanism"}


def find_untouched(config: ConfigDict, height: int, width: int) -> np.ndarray:
    """The pixels that should stay as they are: bool `[M, height, width]`.

    Of designed mechanisms those that they do not change; of groups, whose change nobody knows, all.
    """
    groups = config.data.groups.transformed
    if groups:
        return np.ones((len(groups), height, width), bool)
    return np.stack([~mechanisms.region(spec, height, width) for spec in config.mechanisms])


def measure_kept(
    names: Sequence[str], mechanism: np.ndarray, found, where: np.ndarray
) -> dict[str, dict[str, float | None]] | None:
    """How much of the experts' inputs is kept where nothing was to change.

    Args:
      names: of M mechanisms.
      mechanism: int `[N]` in [0, M).
      found: see `summarize`.
      where: bool `[M, H, W]`, see `find_untouched`.

    Returns:
      PSNR and SSIM of the winners' outputs to their inputs in that part of the image, by
      mechanism: None for one that may change everything, or a side too short for SSIM. None where
      that is all there is.

    Raises:
      AssertionError: `where` is not of the mechanisms and the images' sides.
    """
    chex.assert_shape(where, (len(names), *found.restored.shape[1:3]))
    there = where.any(axis=(1, 2))
    if not there.any():
        return None
    images = np.flatnonzero(there[mechanism])
    measures = {"psnr": psnr}
    if min(where.shape[1:]) >= SSIM_SIDE:
        measures["ssim"] = ssim
    result = {}
    for name, measure in measures.items():
        made, seen, of = found.restored[images], found.transformed[images], mechanism[images]
        means = group_mean(measure(made, seen, where[of]), of, len(names))
        result[name] = {
            name: None if np.isnan(mean) else float(mean)
            for name, mean in zip(names, means, strict=True)
        }
    return result


def mean_ssim(kept: Mapping[str, Mapping[str, float | None]] | None) -> dict[str, float]:
    """Of the result of `measure_kept` the SSIM, a mean over the mechanisms that have it, if any."""
    known = [value for value in (kept or {}).get("ssim", {}).values() if value is not None]
    return {"kept_ssim": float(np.mean(known))} if known else {}


def _variation(mechanism: np.ndarray, found) -> dict[str, float]:
    """How far images under the same mechanism are from each other, on average over mechanisms."""
    kinds = {"transformed": found.transformed, "restored": found.restored}
    groups = [mechanism == m for m in np.unique(mechanism)]
    return {
        kind: float(np.mean([variation(images[members][:200]) for members in groups]))
        for kind, images in kinds.items()
    }


def headline(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a summary by which runs are compared, those that there are.

    Where nobody competes, as with one expert or in the oracle, nothing is identified either.
    """
    specialization = summary["specialization"]
    experts = len(specialization["wins"][0])
    found = {}
    if summary["system"] != "oracle" and experts > 1:
        count = specialization["identified"]
        found = {
            "all identified": count == len(specialization["mechanisms"]),
            "identified": count,
            "experts in use": experts - len(specialization["idle"]),
            # Runs that were evaluated before it was counted do not have it.
            "mechanisms found": specialization.get("found"),
        }
    forms = {"accuracy": "accuracy {}", "called_canonical": "{} called canonical"}
    for name, form in forms.items():
        shares = overall(summary[name] or {})
        found |= {form.format(kind): share for kind, share in shares.items()}
    if summary["psnr"] is not None:
        found["PSNR"] = _mean_psnr(summary["psnr"])
    return found


def numbers(
    summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | bool | None]:
    """The row of a run in a study: its headline, and from which step on all stay identified.

    Args:
      summary: as in `summary.json`.
      records: as in `metrics.jsonl`.
    """
    found = headline(summary)
    if "identified" in found:
        kept = first_kept(*series.evaluated(records, "identified_mechanisms"))
        found["steps until all stay identified"] = None if None in kept else max(kept)
    return found
