"""The paper's two networks in PyTorch, the same as `icm_jax/networks` at its defaults."""

import numpy as np
import torch
from torch import nn

FILTERS, LAYERS = 32, 4
STAGES, HIDDEN = ((16, 16, 16), (32, 32), (64, 64)), 1024


def expert(channels: int = 1) -> nn.Sequential:
    """Images `[B, C, H, W]` to images of the same shape; 28,609 parameters at one channel.

    Batch norm always uses the batch's statistics and keeps no running ones, which saves a little.
    """
    layers, width = [], channels
    for _ in range(LAYERS):
        layers += [nn.Conv2d(width, FILTERS, 3, padding=1)]
        layers += [nn.BatchNorm2d(FILTERS, track_running_stats=False), nn.ELU()]
        width = FILTERS
    return nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1), nn.Sigmoid())


def discriminator(channels: int = 1, size: int = 28) -> nn.Sequential:
    """Images `[B, C, H, W]` of side `size` to logits `[B]`; 665,985 parameters at 28x28x1."""
    layers, width = [], channels
    for stage in STAGES:
        for filters in stage:
            layers += [nn.Conv2d(width, filters, 3, padding=1), nn.ELU()]
            width = filters
        layers += [nn.AvgPool2d(2)]
        size //= 2
    dense = nn.Linear(size * size * width, HIDDEN)
    return nn.Sequential(
        *layers, nn.Flatten(), dense, nn.ELU(), nn.Linear(HIDDEN, 1), nn.Flatten(0)
    )


def alike_experts(count: int, noise: float, channels: int = 1) -> list[nn.Sequential]:
    """Copies of one expert with `noise` on all parameters, so that all win something."""
    first = expert(channels)
    experts = [expert(channels) for _ in range(count)]
    with torch.no_grad():
        for other in experts:
            for mine, its in zip(other.parameters(), first.parameters(), strict=True):
                mine.copy_(its + noise * torch.randn_like(its))
    return experts


def to_flax(network: nn.Sequential) -> dict[str, dict[str, np.ndarray]]:
    """The parameters of a network as the Flax module of the same layers has them.

    They share memory with those of the network where that is on the CPU.
    """
    params, pixels = {}, None
    for layer in network:
        kind = {"Conv2d": "Conv", "BatchNorm2d": "BatchNorm", "Linear": "Dense"}.get(
            type(layer).__name__
        )
        if kind is None:
            continue
        weight, bias = (p.detach().cpu().numpy() for p in (layer.weight, layer.bias))
        if kind == "Conv":
            leaves, pixels = {"kernel": weight.transpose(2, 3, 1, 0), "bias": bias}, True
        elif kind == "BatchNorm":
            leaves = {"scale": weight, "bias": bias}
        else:
            if pixels:  # Flax flattens H, W, C, PyTorch C, H, W
                channels = STAGES[-1][-1]
                weight = weight.reshape(len(weight), channels, -1).swapaxes(1, 2)
                weight, pixels = weight.reshape(len(weight), -1), None
            leaves = {"kernel": weight.T, "bias": bias}
        index = sum(name.startswith(f"{kind}_") for name in params)
        params[f"{kind}_{index}"] = leaves
    return params
