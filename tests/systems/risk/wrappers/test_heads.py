"""What is beside an output: the autoencoder against closed forms, and banks of latents."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.risk.wrappers.nets import Decoder, close, layer, normal, program, same

from icm_jax.systems.risk.wrappers import bank, heads

MEAN, LOG_STD = np.array([0.5, -1.5]), np.array([0.2, -0.7])
KEY = jax.random.key(3)


def encoder(mean, log_std):
    """Of one feature, which is 1."""
    return layer([np.concatenate([mean, log_std])])


def losses_of(head, params, x):
    features = np.ones((len(x), 1), np.float32)
    return program(head.loss)(params, x, features, KEY)


def test_divergence_is_that_of_monte_carlo():
    """With nothing to reconstruct the loss is beta times E[log q - log p], here over 10^6 draws."""
    blank = {"decoder": {"dense": layer(np.zeros((2, 3)))}}
    head = heads.autoencoder(Decoder((3,)), latent=2, weight=2.0, beta=3.0)
    losses = losses_of(head, encoder(MEAN, LOG_STD) | blank, np.zeros((1, 3), np.float32))
    noise = np.random.default_rng(0).normal(size=(10**6, 2))
    drawn = MEAN + np.exp(LOG_STD) * noise
    log_ratio = (drawn**2 / 2 - noise**2 / 2 - LOG_STD).sum(1)
    assert abs(losses[0] - 2 * 3 * log_ratio.mean()) < 6 * 0.01  # deviation of the mean: .0016
    # Latents that are standard normal already diverge from nothing.
    none = losses_of(head, encoder([0, 0], [0, 0]) | blank, np.zeros((1, 3), np.float32))
    close(none, np.zeros(1, np.float32), atol=1e-6)


@pytest.mark.parametrize("capsa", [False, True])
def test_losses_by_hand(capsa):
    """A decoder that is the identity, so that the error is that of what was drawn."""
    head = heads.autoencoder(Decoder((2,)), latent=2, weight=0.5, beta=3.0, capsa=capsa)
    params = encoder(MEAN, LOG_STD) | {"decoder": {"dense": layer(np.eye(2))}}
    x = normal(0, 4, 2)
    noise = np.asarray(jax.random.normal(KEY, (4, 2)))
    if capsa:
        drawn = MEAN + np.exp(LOG_STD / 2) * noise
        divergence = -np.mean(1 + LOG_STD - MEAN**2 - np.exp(LOG_STD) ** 2) / 2
        truth = 0.5 * (((x - drawn) ** 2).sum(1) + 3 * divergence)
    else:
        drawn = MEAN + np.exp(LOG_STD) * noise
        divergence = (MEAN**2 / 2 + np.exp(2 * LOG_STD) / 2 - 1 / 2 - LOG_STD).sum()
        truth = 0.5 * (((x - drawn) ** 2).sum(1) / 2 + 3 * divergence)
    close(losses_of(head, params, x), truth.astype(np.float32), rtol=1e-5)


def test_principal_axes_leave_the_residual_variance():
    """Linear coder and decoder: the best keep 2 of 3 axes, and the error is the variance of one."""
    x = normal(1, 200, 3) @ np.float32([[3, 0, 0], [1, 2, 0], [0.5, 0.5, 0.5]])
    x -= x.mean(0)
    variances, axes = np.linalg.eigh(x.T @ x / len(x))
    head = heads.autoencoder(Decoder((3,)), latent=2, weight=1.0, beta=0.0)
    never = np.zeros((3, 2))  # and a bias that draws nothing beside the mean
    params = layer(np.concatenate([axes[:, 1:], never], 1), [0, 0, -30, -30])
    params |= {"decoder": {"dense": layer(axes[:, 1:].T)}}

    @program
    def call(params):
        loss, gradient = jax.value_and_grad(lambda p: head.loss(p, x, x, KEY).mean())(params)
        return loss, gradient, head.describe(params, None, x, x)["novelty"]

    loss, gradient, novelty = call(params)
    assert novelty.shape == (200,)
    close(novelty.mean(), np.float32(variances[0]), rtol=1e-4)
    close(loss, np.float32(variances[0] / 2), rtol=1e-4)
    close(gradient, jax.tree.map(np.zeros_like, gradient), atol=1e-4)


def test_novelty_is_summed_over_an_image():
    head = heads.autoencoder(Decoder((2, 2, 3)), latent=1, weight=1.0, beta=1.0)
    params = encoder([0], [0]) | {"decoder": {"dense": layer(np.zeros((1, 12)), np.full(12, 2))}}
    images = np.stack([np.full((2, 2, 3), 5), np.full((2, 2, 3), 1)]).astype(np.uint8)
    fields = program(head.describe)(params, None, images, np.ones((2, 1), np.float32))
    same(fields["novelty"], np.float32([12 * 9, 12 * 1]))


def test_latents_are_the_mean():
    head = heads.autoencoder(Decoder((3,)), latent=2, weight=1.0, beta=1.0)
    close(
        program(head.latents)(encoder(MEAN, LOG_STD), np.ones((2, 1), np.float32)),
        np.float32([MEAN, MEAN]),
        rtol=1e-6,
    )


class NormedDecoder(nn.Module):
    @nn.compact
    def __call__(self, latents):
        return nn.BatchNorm(use_running_average=True)(nn.Dense(3)(latents))


@pytest.mark.parametrize(
    "decoder, message",
    [
        (Decoder((2, 2)), r"decoder: Decoder gives \[2, 2\], not the inputs' \[3\]"),
        (NormedDecoder(), "decoder: NormedDecoder has batch_stats, params; it must have params"),
    ],
)
def test_decoders_that_do_not_fit(decoder, message):
    head = heads.autoencoder(decoder, latent=2, weight=1.0, beta=1.0)
    with pytest.raises(ValueError, match=message) as error:
        jax.eval_shape(head.init, KEY, jnp.zeros((4, 3)), jnp.zeros((4, 5)))
    assert "\n" not in str(error.value)


def test_banks_look_up_what_they_observed():
    histogram, nearest = heads.histogram(5, 8, 1e-3), heads.nearest(2, 8)
    seen, asked = normal(2, 6, 3), normal(3, 4, 3)

    @program
    def call(seen, asked):
        both = []
        for head in (histogram, nearest):
            params, empty = head.init(KEY, seen, seen)
            assert params == {}
            both.append(head.describe({}, head.observe(empty, seen, None), asked, asked))
        full = bank.push(bank.empty_bank(8, 3), seen)
        truth = (
            bank.log_histogram(full, asked, 5, 1e-3),
            bank.log_density_of_neighbours(bank.whiten(full), asked, 2),
        )
        return both, [{"density": density} for density in truth]

    got, truth = call(seen, asked)
    close(got, truth, rtol=1e-5)
    assert (histogram.name, nearest.name) == ("histogram", "density")
    assert histogram.loss is None and histogram.latents is None
