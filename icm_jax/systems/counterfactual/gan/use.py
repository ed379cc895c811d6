"""Use of a finished conditional GAN."""

import os
from typing import NamedTuple

import jax

from icm_jax.supervised import Parameters
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.gan.config import SCHEMA
from icm_jax.systems.counterfactual.gan.steps import init_state, make_gan
from icm_jax.systems.counterfactual.networks.dcgan import Dcgan
from icm_jax.training import finished


class _Learner(NamedTuple):
    """The part of a `Learner` that is used; its leaves have the paths that they have there."""

    parameters: Parameters


class _State(NamedTuple):
    """The part of a `State` that is used."""

    generator: _Learner


class FinishedGan(NamedTuple):
    """A finished GAN: its generator, the `variables` of it, and Z, the numbers of noise."""

    generator: Dcgan
    variables: PyTree
    latent: int


def load(workdir: str | os.PathLike) -> FinishedGan:
    """The generator of a finished run; of several seeds that in `<run>/seed_0`, say.

    Raises:
      ValueError: there is no config of a conditional GAN in it.
      WorkdirError: the run is not finished, or of several seeds.
      CheckpointError: there is no undamaged checkpoint.
    """
    run = finished.read(workdir)
    run.check(SCHEMA)
    gan = make_gan(run.config, run.said("classes"), run.said("size"))

    def init(key: jax.Array) -> _State:
        return _State(_Learner(init_state(gan, key).generator.parameters))

    parameters = run.saved().state(init).generator.parameters
    variables = jax.device_put(parameters._asdict())
    return FinishedGan(gan.generator, variables, run.config.generator.latent)
