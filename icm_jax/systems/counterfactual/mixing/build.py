"""A variational autoencoder on coloured digits as a system, and what says which digit is shown."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from icm_jax import classification, collectives
from icm_jax.config import digest
from icm_jax.data import Dataset, Splits
from icm_jax.networks.classifiers import ConvClassifier
from icm_jax.networks.compute import Compute
from icm_jax.supervised import Learner, descend, make_learner
from icm_jax.system import Mean, Metrics, Phase, PyTree, System
from icm_jax.systems.counterfactual import biased
from icm_jax.systems.counterfactual.biased import BiasedData, Split
from icm_jax.systems.counterfactual.generation import use
from icm_jax.systems.counterfactual.mixing import evaluation, report
from icm_jax.systems.counterfactual.mixing.network import VAE, bounds
from icm_jax.systems.counterfactual.pixels import to_unit

JUDGE = "judge"


class State(NamedTuple):
    """Everything that a run needs to go on."""

    learner: Learner


class Training(NamedTuple):
    """How the autoencoder learns."""

    config: ConfigDict
    network: VAE
    optimizer: optax.GradientTransformation
    biased: BiasedData
    axis_name: str | None


def build_seeds(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config (see `icm_jax.systems.counterfactual.mixing.config`), one a seed.

    Args:
      config: a validated config.
      splits: of which the data set is made.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: the data set cannot be made of these images, or the generator does not suit it.
      FileNotFoundError: the generator is not there.
      WorkdirError, CheckpointError: the generator's run is not finished, or damaged.
    """
    made = [biased.make(config.data, splits, seed) for seed in seeds]
    generator = use.load(config.generator, "generator") if config.generator else None
    if generator:
        use.check_suits(
            config.generator, generator.classes, generator.size, made[0], generator.names
        )
    compute = Compute(config.precision, config.convolution)
    network = VAE(config.vae.latent, config.vae.width, compute)
    training = Training(config, network, optax.adam(config.learning_rate), made[0], axis_name)
    classifier = classification.Classifier(
        *(ConvClassifier(made[0].classes, axis_name=a, compute=compute) for a in (axis_name, None))
    )
    tell = jax.jit(functools.partial(_tell_digits, classifier))
    examined = evaluation.Examined(network, tell, generator, config.evaluation.images)
    shared_data, own_data = biased.given(made)
    system = System(
        name=config.system,
        init=functools.partial(_init, training),
        phases=(Phase("training", config.steps, functools.partial(step, training)),),
        data={},
        shared=shared_data,
        evaluate=functools.partial(evaluation.evaluate, examined),
        figures=report.draw,
        headline=evaluation.headline,
        auxiliary={JUDGE: _build_judge(config, classifier, made[0], axis_name)},
    )
    return tuple(
        system._replace(data=own, evaluate=functools.partial(system.evaluate, of))
        for own, of in zip(own_data, made, strict=True)
    )


def digests(config: ConfigDict) -> dict[str, str]:
    """The digest of all that what judges depends on, by its name among the parts.

    Raises:
      FileNotFoundError, ValueError: textures are not there, or cannot be read.
    """
    fields = ("data", "classifier", "precision", "convolution", "seed", "replicas")
    depends = {name: config[name] for name in fields}
    return {JUDGE: digest(ConfigDict(depends | {"files": biased.digest_files(config.data)}))}


def step(
    training: Training, state: State, data: Mapping[str, Any], key: jax.Array
) -> tuple[State, Metrics]:
    """Draws images and descends the negative evidence lower bound.

    Args:
      training: network and rates.
      state: before the step.
      data: `parts` and `labels` of the images, what `render` shares.
      key: typed key `[]` of this step.
    """
    config, size = training.config, training.config.batch_size
    index_key, render_key, noise_key = jax.random.split(key, 3)
    index = jax.random.randint(index_key, (size,), 0, len(data["labels"]))
    images, _ = biased.take_images(training.biased, data, index, render_key)
    images = to_unit(images)
    noise = jax.random.normal(noise_key, (size, config.vae.latent))
    images, noise = collectives.share((images, noise), training.axis_name)

    def value(params: PyTree):
        logits, *latent = training.network.apply({"params": params}, images, noise)
        terms = [of.sum() for of in bounds(images, logits, *latent)]
        return sum(terms) / size, terms

    gradient, terms = jax.grad(value, has_aux=True)(state.learner.parameters.params)
    learner = descend(training.optimizer, state.learner, gradient, {}, training.axis_name)
    terms = collectives.psum(terms, training.axis_name)
    metrics = dict(zip(("reconstruction", "divergence"), terms, strict=True))
    return State(learner), {name: Mean(total, jnp.float32(size)) for name, total in metrics.items()}


def _init(training: Training, key: jax.Array) -> State:
    size, latent = training.biased.size, training.config.vae.latent
    images, noise = jnp.zeros((1, size, size, 3)), jnp.zeros((1, latent))
    return State(make_learner(training.network.init(key, images, noise), training.optimizer))


def _tell_digits(
    classifier: classification.Classifier, state: classification.State, images: jax.Array
) -> jax.Array:
    """Probabilities `[B, L]` of the digits of images uint8 `[B, H, W, 1]`."""
    variables = state.learner.parameters._asdict()
    logits = classifier.outside.apply(variables, classification.prepare(images, classifier.size))
    return jax.nn.softmax(logits)


def _build_judge(
    config: ConfigDict,
    classifier: classification.Classifier,
    made: BiasedData,
    axis_name: str | None,
) -> System:
    """A classifier of the digits' shapes, black and white."""
    train, test = (_shapes(split) for split in (made.train, made.test))
    task = classification.labelled(config.classifier, train, test, axis_name=axis_name)
    return classification.build(config.classifier, task, classifier, axis_name)


def _shapes(split: Split) -> Dataset:
    ink = np.unpackbits(split.parts["ink"], axis=-1)[..., None]
    return Dataset(ink * np.uint8(255), split.labels)
