import numpy as np
import pytest

from icm_jax.study import figures as study_figures


def test_a_comparison_has_dots_means_and_whole_counts():
    runs = [
        {"identified": n, "all": n == 10, "in use": None, "accuracy restored": 0.9 + n / 100}
        for n in (9, 10)
    ]
    figure = study_figures.comparison({"few": runs[:1], "many": runs, "none": []})
    # Neither what is yes or no nor what no run has.
    assert [axes.get_title() for axes in figure.axes] == ["identified", "accuracy restored"]
    identified, restored = figure.axes
    dots = [line.get_xdata().tolist() for line in identified.lines if line.get_marker() == "o"]
    means = [line.get_xdata()[0] for line in identified.lines if line.get_marker() != "o"]
    assert dots == [[9], [9, 10]] and means == [9, 9.5]
    assert [label.get_text() for label in identified.get_yticklabels()] == ["few", "many", "none"]
    figure.canvas.draw()
    for axes, whole in ((identified, True), (restored, False)):
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert len(ticks) > 1 and np.array_equal(ticks, np.round(ticks)) == whole


@pytest.mark.filterwarnings("ignore:Attempting to set identical")
def test_a_comparison_of_no_runs_is_empty():
    assert not any(axes.lines for axes in study_figures.comparison({}).axes)
