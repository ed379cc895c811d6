from icm_jax.systems.risk.regression import stories
from icm_jax.systems.risk.regression.measures import MEASURES


def found(nll, error=0.05):
    numbers = dict.fromkeys(MEASURES, {"mean": 0.875, "error": error})
    return numbers | {"nll": {"mean": nll, "error": error}, "rmse": {"mean": 4.5, "error": error}}


def test_a_row_a_wrapper_of_a_table():
    best = {"mve": {"rmse": {"mean": 4.25, "error": 0.1}, "nll": {"mean": 2.5, "error": 0.1}}}
    story = stories.tell(
        {
            "data": "concrete",
            "splits": 20,
            "results": {"plain": found(None, None), "mve": found(2.875)},
            "best_of_test_along_training": best,
        }
    )
    assert story.sentence == (
        "concrete, 20 splits: the least NLL has mve, 2.875; its RMSE is 4.5, its 90 % intervals "
        "hold 87.5 % of the targets"
    )
    assert list(story.head) == [
        *("wrapper", "RMSE", "NLL", "CRPS", "coverage (%)", "width", "conformal coverage (%)"),
        "AUSE",
    ]
    assert story.rows[1] == [
        *("mve", "4.5 ± 0.05", "2.875 ± 0.05", "0.875 ± 0.05", "87.5 ± 5.0", "0.875 ± 0.05"),
        *("87.5 ± 5.0", "0.875 ± 0.05"),
    ]
    assert story.rows[0][2] == "–"
    assert story.notes[-1].endswith("published tables have them: mve 4.25 and 2.5.")


def test_the_cubic_is_told_beside_its_truth():
    truth = {"rmse_of_curve": 0.125, "noise_order": 0.75, "beyond_by_epistemic": None}
    truth |= {"beyond_by_density": 0.5, "beyond_by_novelty": None}
    summary = {"data": "cubic", "splits": 1, "results": {"mve": found(0.5, None)}}
    story = stories.tell(summary | {"truth": {"mve": truth}})
    assert story.picture == "wrappers" and "1 split:" in story.sentence
    assert story.rows == [
        ["mve", "4.5", "0.5", "0.875", "87.5", "0.125", "0.75", "–", "0.5", "–"],
    ]
    assert len(story.head) == 10
