"""The published Counterfactual Generative Network and its training step, plainly in PyTorch.

Networks, losses and their order are those of mnists/ of the published code, for its data sets of 32
pixels. VGG16 has random weights, which cost what trained ones do, and runs to its end, as there.
"""

from typing import NamedTuple

import torch
from torch import nn

LATENT, CLASSES, SIZE = 32, 10, 32
_VGG = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
_WIDTH, _HIDDEN = 32, 512
_ADAM = {"lr": 2e-4, "betas": (0.5, 0.999)}


class Losses(NamedTuple):
    """Weights of a data set: of the masks' entropy, and of the textures of four layers of VGG16."""

    mask: float = 0.1
    perceptual: tuple[float, ...] = (0.05, 0.1, 0.01, 0.0)


class Batch(NamedTuple):
    """Images `[B, 3, 32, 32]` in [-1, 1] with labels `[B]`; noise `[B, 32]` with labels `[B]`."""

    images: torch.Tensor
    labels: torch.Tensor
    noise: torch.Tensor
    wanted: torch.Tensor


class Generator(nn.Module):
    """Shape, foreground and background of one noise and label; 652,333 parameters."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, CLASSES)
        self.shape = _shape()
        self.foreground, self.background = _texture(), _texture()

    def forward(self, noise: torch.Tensor, labels: torch.Tensor):
        """Images `[B, 3, 32, 32]` and masks `[B, 1, 32, 32]`; textures are cropped from tiles."""
        x = torch.cat([noise, self.embedding(labels)], 1)
        mask = self.shape(x).clamp(1e-4, 0.9999)
        textures = [_shuffled(net(x)) for net in (self.foreground, self.background)]
        return mask * textures[0] + (1 - mask) * textures[1], mask


class Discriminator(nn.Module):
    """Dense layers on images and an embedding of their labels, to scores `[B, 1]`."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, CLASSES)
        hidden = [nn.Linear(3 * SIZE**2 + CLASSES, _HIDDEN), nn.LeakyReLU(0.2)]
        for _ in range(2):
            hidden += [nn.Linear(_HIDDEN, _HIDDEN), nn.Dropout(0.4), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*hidden, nn.Linear(_HIDDEN, 1))

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores of images of these labels."""
        return self.layers(torch.cat([images.flatten(1), self.embedding(labels)], 1))


class Loop:
    """Both players and their optimizers."""

    def __init__(self, losses: Losses, device: str):
        self._losses = losses
        self.generator = Generator().to(device)
        self.discriminator = Discriminator().to(device)
        self._vgg = _vgg().to(device).eval().requires_grad_(False)
        self._optimizers = [
            torch.optim.Adam(net.parameters(), **_ADAM)
            for net in (self.generator, self.discriminator)
        ]

    def step(self, batch: Batch) -> float:
        """First the generator learns, then the discriminator; the sum of both losses."""
        fake, mask = self.generator(batch.noise, batch.wanted)
        scores = self.discriminator(fake, batch.wanted)
        entropy = -mask * mask.log2() - (1 - mask) * (1 - mask).log2()
        loss = _squares(scores, 1) + self._losses.mask * entropy.mean()
        loss = loss + self._perceptual(fake, batch.images)
        _descend(self._optimizers[0], loss)
        real = _squares(self.discriminator(batch.images, batch.labels), 1)
        told = (real + _squares(self.discriminator(fake.detach(), batch.wanted), 0)) / 2
        _descend(self._optimizers[1], told)
        return float(loss.detach() + told.detach())

    def _perceptual(self, fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        ours, theirs = self._features(fake), self._features(real)
        return sum(
            5e3 * weight**2 * (_gram(one) - _gram(other)).abs().mean()
            for one, other, weight in zip(ours, theirs, self._losses.perceptual, strict=True)
        )

    def _features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What enters each of the first four poolings."""
        found = []
        for layer in self._vgg:
            if isinstance(layer, nn.MaxPool2d):
                found.append(x)
            x = layer(x)
        return found


def _shape() -> nn.Sequential:
    return nn.Sequential(
        *_start(),
        *(nn.InstanceNorm2d(2 * _WIDTH), *_up(2 * _WIDTH, _WIDTH)),
        *(nn.InstanceNorm2d(_WIDTH), *_up(_WIDTH, 1)),
        nn.InstanceNorm2d(1),
    )


def _texture() -> nn.Sequential:
    return nn.Sequential(
        *_start(),
        *_up(2 * _WIDTH, 2 * _WIDTH),
        *_up(2 * _WIDTH, _WIDTH),
        *(nn.Conv2d(_WIDTH, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Tanh()),
    )


def _start() -> list[nn.Module]:
    side = SIZE // 4
    dense = nn.Linear(LATENT + CLASSES, 2 * _WIDTH * side**2)
    return [dense, nn.Unflatten(1, (2 * _WIDTH, side, side))]


def _up(before: int, after: int) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
    return [nn.Upsample(scale_factor=2), conv, nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]


def _shuffled(textures: torch.Tensor) -> torch.Tensor:
    """One crop of each image, tiled twice by twice."""
    corners = torch.randint(0, SIZE + 1, (len(textures), 2)).tolist()
    tiled = textures.tile(1, 1, 2, 2)
    crops = [
        image[:, row : row + SIZE, column : column + SIZE]
        for image, (row, column) in zip(tiled, corners, strict=True)
    ]
    return torch.stack(crops)


def _vgg() -> nn.Sequential:
    layers, width = [], 3
    for filters in _VGG:
        if filters:
            layers += [nn.Conv2d(width, filters, 3, padding=1), nn.ReLU()]
            width = filters
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def _gram(features: torch.Tensor) -> torch.Tensor:
    rows = features.flatten(2)
    return rows @ rows.transpose(1, 2) / rows[0].numel()


def _squares(scores: torch.Tensor, target: float) -> torch.Tensor:
    return (scores - target).square().mean()


def _descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
