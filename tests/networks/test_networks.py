import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from icm_jax.networks.classifiers import ConvClassifier, FacesClassifier
from icm_jax.networks.compute import Compute
from icm_jax.systems.icm.networks.discriminators import ConvDiscriminator
from icm_jax.systems.icm.networks.experts import ConvExpert


def parameters(network, shape):
    shapes = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros(shape))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))


def test_parameter_counts_are_those_of_the_papers_tables():
    # (9*1*32 + 32) + 3 (9*32*32 + 32) + 4 * 2*32 (batch norm) + (9*32*1 + 1) = 28,609
    assert parameters(ConvExpert(), (1, 28, 28, 1)) == 28_609
    # 160 + 2*2320 + 4640 + 9248 + 18496 + 36928 + (3*3*64*1024 + 1024) + 1025 = 665,985
    assert parameters(ConvDiscriminator(), (1, 28, 28, 1)) == 665_985
    # Three channels, and 8x8 pixels into the dense layer in place of 3x3.
    more = 9 * 2 * 16 + (64 - 9) * 64 * 1024
    assert parameters(ConvDiscriminator(), (1, 64, 64, 3)) == 665_985 + more


def test_the_faces_classifier_has_the_parameters_of_its_table_and_one_logit():
    # 448 + 2320 + 4640 + 2*9248 + 18496 + 36928, then 3*3*64 = 576 -> 576 -> 25 -> 1
    convolutions, dense = 81_328, 332_352 + 14_425 + 26
    assert parameters(FacesClassifier(), (1, 28, 28, 3)) == convolutions + dense == 428_131
    images = jax.random.uniform(jax.random.key(1), (3, 8, 8, 1))
    logits, variables = jax.jit(FacesClassifier().init_with_output)(jax.random.key(0), images)
    assert list(variables) == ["params"]
    # A softmax over [0, z] is the sigmoid of z.
    z = logits[:, 1]
    assert jnp.abs(z).min() > 0
    sigmoid = jnp.stack([1 - nn.sigmoid(z), nn.sigmoid(z)], axis=1)
    chex.assert_trees_all_close(nn.softmax(logits), sigmoid, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 28, 28, 1), (2, 32, 32, 3)])
def test_shapes_and_ranges(shape):
    images = jax.random.uniform(jax.random.key(1), shape)
    expert, discriminator = ConvExpert(filters=4), ConvDiscriminator(stages=((4,), (4,)), hidden=8)
    outputs, _ = jax.jit(expert.init_with_output)(jax.random.key(0), images)
    logits, _ = jax.jit(discriminator.init_with_output)(jax.random.key(0), images)
    chex.assert_shape(outputs, shape)
    assert outputs.min() >= 0 and outputs.max() <= 1
    chex.assert_shape(logits, shape[:1])


def test_statistics_of_the_scoring_pass_are_those_of_the_batch_alone():
    images = jax.random.uniform(jax.random.key(1), (4, 8, 8, 1))
    expert = ConvExpert(filters=4)
    variables = jax.jit(expert.init)(jax.random.key(0), images)
    score = functools.partial(expert.apply, mutable=["batch_stats"])
    outputs, updates = jax.jit(score)(variables, images)
    kernel = variables["params"]["Conv_0"]["kernel"]
    first = jax.lax.conv_general_dilated(
        images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    chex.assert_trees_all_close(
        updates["batch_stats"]["BatchNorm_0"]["mean"], first.mean((0, 1, 2)), atol=1e-6
    )
    # Given those statistics as constants, the network computes the same outputs.
    apply = jax.jit(expert.apply, static_argnums=2)
    again = apply({**variables, **updates}, images, "given")
    chex.assert_trees_all_close(again, outputs, atol=1e-5)


def test_a_discriminator_scores_every_image_by_itself():
    images = jax.random.uniform(jax.random.key(1), (3, 16, 16, 1))
    network = ConvDiscriminator(stages=((4,), (4,)), hidden=8)
    logits, variables = jax.jit(network.init_with_output)(jax.random.key(0), images)
    alone = jax.jit(network.apply)(variables, images[1:2])
    chex.assert_trees_all_close(alone, logits[1:2], atol=1e-5)


@pytest.mark.parametrize("network", [ConvDiscriminator, lambda stages: ConvClassifier(7, stages)])
def test_more_stages_than_images_have_room_for_are_refused(network):
    stages, images = ((2,), (2,), (2,)), jnp.zeros((1, 8, 11, 1))
    jax.eval_shape(network(stages).init, jax.random.key(0), images)
    with pytest.raises(ValueError, match="one more than images have room for, whose 1x1 places"):
        jax.eval_shape(network((*stages, (2,))).init, jax.random.key(0), images)


def test_dropout_and_batch_statistics_act_in_training_only():
    images = jax.random.uniform(jax.random.key(1), (3, 16, 16, 1))
    network = ConvClassifier(classes=7, stages=((4,), (4,)), hidden=8)
    logits, variables = jax.jit(network.init_with_output)(jax.random.key(0), images)
    chex.assert_shape(logits, (3, 7))
    again = jax.jit(network.apply)(variables, images)
    chex.assert_trees_all_close(again, logits, rtol=1e-5)
    rngs = {"dropout": jax.random.key(2)}
    train = functools.partial(network.apply, train=True, mutable=["batch_stats"], rngs=rngs)
    trained, updates = jax.jit(train)(variables, images)
    assert not jnp.allclose(trained, logits)
    # Running average: 0.9 * 0 + 0.1 * the batch's mean, which is not zero.
    assert jnp.abs(updates["batch_stats"]["BatchNorm_0"]["mean"]).max() > 0


def test_bfloat16_rounds_and_keeps_parameters_and_results_in_float32():
    images = jax.random.uniform(jax.random.key(1), (2, 16, 16, 1))
    for network, arguments in (
        (ConvExpert(filters=4, layers=1, compute=Compute("bfloat16")), ("given",)),
        (ConvDiscriminator(stages=((4,), (4,)), hidden=8, compute=Compute("bfloat16")), ()),
    ):
        variables = jax.jit(network.init)(jax.random.key(0), images)
        chex.assert_trees_all_equal_dtypes(variables, jax.tree.map(jnp.float32, variables))
        outputs, exact = (
            jax.jit(of.apply, static_argnums=2)(variables, images, *arguments)
            for of in (network, network.clone(compute=Compute()))
        )
        assert outputs.dtype == jnp.float32
        assert 1e-6 < jnp.abs(outputs - exact).max() < 0.05
