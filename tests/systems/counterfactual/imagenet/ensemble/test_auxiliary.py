"""What the generator of an ensemble is known by."""

from systems.counterfactual.imagenet import tiny

from icm_jax.systems.counterfactual.imagenet.ensemble import auxiliary
from icm_jax.systems.counterfactual.imagenet.weights.biggan import WEIGHTS


def test_weights_may_be_a_folder_or_those_of_a_package(tmp_path):
    def digest(**weights):
        config = tiny.ensemble()
        config.recipe.weights.update(weights)
        return auxiliary.digests(config)

    # It is told by what is in the file, too.
    found = []
    for content in (b"weights", b"others", b"weights"):
        (tmp_path / WEIGHTS).write_bytes(content)
        found.append(digest(biggan=str(tmp_path)))
    assert found[0] == found[2] != found[1]
    assert digest(u2net="package") not in (digest(), *found)
