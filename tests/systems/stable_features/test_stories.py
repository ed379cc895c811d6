from icm_jax.systems.stable_features import stories


def found(accuracy, channels, worst):
    return {
        "accuracy": accuracy,
        "per_channel": {"accuracy": channels},
        "worst_cell": {"label": 2, "channel": 0, "accuracy": worst},
    }


def summary(**changes):
    return {
        "method": "balanced",
        "accuracy": {"validation_given": 0.7, "test_true": 0.85, "worst_cell_true": 0.125},
        "selection": {"by": "worst group of the training data", "score": 0.5, "step": 40},
        "validation": {
            "true": found(0.875, [0.9, None, 0.9, 0.6], 0.25),
            "given": found(0.7, [0.7, 0.7, 0.7, 0.7], 0.5),
        },
        "test": {"true": found(0.85, [0.8, 0.9, 0.7, 1.0], 0.125)},
        **changes,
    }


def test_a_row_a_result():
    story = stories.tell(summary())
    assert story.sentence == (
        "balanced: accuracy 70.0% validation, given labels; 85.0% test, true labels; 12.5% in its "
        "worst cell"
    )
    assert list(story.head) == ["accuracy (%)", "validation", "test"]
    assert story.rows == [
        ["all images, given labels", "70.0", "–"],
        ["all images, true labels", "87.5", "85.0"],
        ["best channel, true labels", "90.0 (channel 0)", "100.0 (channel 3)"],
        ["worst channel, true labels", "60.0 (channel 3)", "70.0 (channel 2)"],
        ["worst cell, true labels", "25.0 (label 2, channel 0)", "12.5 (label 2, channel 0)"],
    ]
    assert story.notes == [
        "The parameters are the best by the worst group of the training data: those of step 40, "
        "50.0% there."
    ]


def test_the_last_parameters():
    selection = {"by": "the last step", "score": None, "step": 0}
    story = stories.tell(summary(selection=selection))
    assert story.notes == ["The parameters are those of the last step."]


def test_what_tofu_found():
    pair = {"accuracy": 0.9, "right_in_channel": 1.0, "mistaken_in_channel": None}
    clusters = {"mean": {"homogeneity": 0.888, "v_measure": 0.856}}
    tofu = {"cross_prediction": {"environment 0 by 1": pair}, "clusters": clusters}
    assert stories.tell(summary(tofu=tofu)).notes[1:] == [
        "TOFU, environment 0 by 1: 90.0% predicted right; of these 100.0% lie in the channel of "
        "their label, of the mistaken unknown.",
        "TOFU, clusters, by whether an image lies in the channel of its label: homogeneity 0.89, "
        "V-measure 0.86.",
    ]
