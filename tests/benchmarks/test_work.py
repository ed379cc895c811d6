import pytest

from benchmarks import work
from icm_jax import default_config

SHAPE = (28, 28, 1)


def test_forward_passes_of_the_papers_networks_by_hand():
    expert = work.expert_layers(default_config("icm"), SHAPE)
    # 784 pixels, 9 weights: 1 -> 32, three times 32 -> 32, 32 -> 1; a multiply-add is 2.
    assert sum(layer.flops for layer in expert) == 2 * 784 * 9 * (32 + 3 * 1024 + 32) == 44_255_232
    discriminator = work.discriminator_layers(default_config("icm"), SHAPE)
    # 28x28: 1 -> 16 -> 16 -> 16; 14x14: 16 -> 32 -> 32; 7x7: 32 -> 64 -> 64; 576 -> 1024 -> 1.
    multiply_adds = 9 * (784 * (16 + 512) + 196 * (512 + 1024) + 49 * (2048 + 4096))
    multiply_adds += 576 * 1024 + 1024
    assert sum(layer.flops for layer in discriminator) == 2 * multiply_adds == 19_470_848


def test_weights_are_the_networks_parameters_without_biases_and_batch_norm():
    expert = work.expert_layers(default_config("icm"), SHAPE)
    assert sum(layer.parameters for layer in expert) == 28_609 - 4 * 3 * 32 - 1
    discriminator = work.discriminator_layers(default_config("icm"), SHAPE)
    biases = 3 * 16 + 2 * 32 + 2 * 64 + 1024 + 1
    assert sum(layer.parameters for layer in discriminator) == 665_985 - biases


def test_other_experts_are_not_counted():
    c = default_config("icm")
    c.experts.kind = "vae"
    with pytest.raises(ValueError, match="experts.kind: 'vae' is not counted"):
        work.expert_layers(c, SHAPE)


def tiny():
    c = default_config("icm")
    c.experts.count, c.batch_size = 3, 2
    c.experts.filters, c.experts.layers = 2, 1
    c.discriminator.stages, c.discriminator.hidden = ((2,),), 3
    return c


def test_a_step_by_hand():
    # Images 4x4x1. Expert: two convolutions 1 -> 2 -> 1, each 2 * 16 * 9 * 2 = 576 FLOP.
    # Discriminator: one of 576, then from 2x2x2 = 8 numbers 2 * 8 * 3 = 48 and 2 * 3 = 6.
    found = work.step(tiny(), (4, 4, 1))
    expert, inner_expert, discriminator, inner_discriminator = 1152, 576, 630, 54
    scores = 6 * expert
    both = 8 * (2 * discriminator + inner_discriminator)
    winners = 2 * (2 * expert + inner_expert + 2 * discriminator)
    assert found.flops == scores + both + winners


def test_bytes_by_hand():
    # Expert: reads 16 + 32, writes 32 + 16 = 96 numbers; inner gradient writes 32.
    # Discriminator: reads 16 + 8 + 3, writes 32 + 3 + 1: 63; gradients write 27, inner 11.
    found = work.step(tiny(), (4, 4, 1))
    activations = 6 * 96 + 8 * (63 + 63 + 11) + 2 * (96 + 63 + 27 + 96 + 32)
    parameters = 3 * (18 + 18) + 18 + 24 + 3
    assert found.bytes == 4 * (activations + (2 + 7) * parameters)
    half = work.step(tiny(), (4, 4, 1), itemsize=2)
    assert half.bytes == 2 * (activations + 2 * parameters) + 4 * 7 * parameters
