"""One training iteration in PyTorch: as it is plainly written, and as fast as could be found.

`Plain` is the masked mathematics of `icm_jax`: every expert on the whole batch with gradients, the
losers' gradients being zero. `Best` scores without gradients and runs the winners again on their
won images alone. Its batch norm then takes the statistics of those few images, PyTorch's habit:
less work than `icm_jax` does, and another algorithm, with which experts hardly specialize
(docs/icm_recipe.md). Neither draws or transforms images, and neither keeps running statistics.

What was tried for `Best`, in CPU seconds of one thread (ten experts, batch 32, PyTorch 2.13,
x86-64 with AVX-512), and is kept unless said otherwise:
  * channels_last instead of contiguous: forward passes 0.23 -> 0.18, discriminator 0.30 -> 0.25;
  * torch.compile on top of it: 0.18 -> 0.15 and 0.25 -> 0.23, after 20 seconds of compilation;
    the winners' pass is left out, a new shape at every iteration would compile again and again;
  * one discriminator pass for scores, its own loss and canonical images: saves a forward pass;
  * all experts as one grouped convolution (what vmap would make): forward 0.21, not kept;
  * the discriminator in slices of 32 or 88 images: no difference beyond noise, not kept;
  * activations in place: no difference, not kept.
In all an iteration takes `Plain` 1.15, `Best` 0.51 without torch.compile and 0.45 with it. On an
accelerator nothing was tuned. PyTorch's threads spin while they wait: on a machine that others
use too its times, unlike those of icm_jax, become many times longer.
"""

import torch
from torch.nn import functional as F

from benchmarks import torch_networks

LEARNING_RATE = 1e-3
NOISE = 0.01


class Plain:
    """The loop that a good PyTorch user writes first."""

    def __init__(self, count: int, channels: int, size: int, device: str, alike: bool = True):
        """Makes the networks, experts as copies of one with noise where they are to be `alike`."""
        if alike:
            self.experts = torch_networks.alike_experts(count, NOISE, channels)
        else:
            self.experts = [torch_networks.expert(channels) for _ in range(count)]
        self.experts = [expert.to(device) for expert in self.experts]
        self.discriminator = torch_networks.discriminator(channels, size).to(device)
        self._optimizers = [_adam(expert) for expert in self.experts]
        self._discriminator_optimizer = _adam(self.discriminator)

    def step(
        self, transformed: torch.Tensor, canonical: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Updates both sides on images `[B, C, H, W]`; returns the loss `[]` and winners `[B]`."""
        self.discriminator.requires_grad_(False)
        outputs = torch.stack([expert(transformed) for expert in self.experts])
        scores = self.discriminator(outputs.flatten(0, 1)).view(len(self.experts), -1)
        winner = scores.argmax(0)
        won = F.one_hot(winner, len(self.experts)).T  # [E, B]
        loss = ((won * F.softplus(-scores)).sum(1) / won.sum(1).clamp(min=1)).sum()
        _clear(self._optimizers)
        loss.backward()

        self.discriminator.requires_grad_(True)
        fake = F.softplus(self.discriminator(outputs.detach().flatten(0, 1))).mean()
        d_loss = fake + F.softplus(-self.discriminator(canonical)).mean()
        _clear([self._discriminator_optimizer])
        d_loss.backward()

        # Losers keep parameters and moments. Both sides learn from the other before its update.
        for index in set(winner.tolist()):
            self._optimizers[index].step()
        self._discriminator_optimizer.step()
        return d_loss.detach(), winner


class Best:
    """The fastest that was found; see the module's docstring."""

    def __init__(
        self,
        count: int,
        channels: int,
        size: int,
        device: str,
        compiles: bool = True,
        alike: bool = True,
    ):
        plain = Plain(count, channels, size, device, alike)
        self.experts = [_channels_last(expert) for expert in plain.experts]
        self.discriminator = _channels_last(plain.discriminator)
        self._optimizers = plain._optimizers
        self._discriminator_optimizer = plain._discriminator_optimizer
        # One function of parameters and images, so that it is compiled once for all experts.
        self._expert = torch_networks.expert(channels).to(device)
        self._score = torch.compile(self._forward, dynamic=False) if compiles else self._forward
        self._judge = self.discriminator
        if compiles:
            torch._dynamo.config.suppress_errors = True  # without a C++ compiler it runs as it is
            self._judge = torch.compile(self.discriminator, dynamic=False)

    def step(
        self, transformed: torch.Tensor, canonical: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Updates both sides on images `[B, C, H, W]`; returns the loss `[]` and winners `[B]`."""
        transformed = transformed.to(memory_format=torch.channels_last)
        canonical = canonical.to(memory_format=torch.channels_last)
        with torch.no_grad():
            outputs = [self._score(dict(e.named_parameters()), transformed) for e in self.experts]
            images = torch.cat([*outputs, canonical])
        logits = self._judge(images)
        scores = logits[: -len(canonical)]
        d_loss = F.softplus(scores).mean() + F.softplus(-logits[-len(canonical) :]).mean()
        _clear([self._discriminator_optimizer])
        d_loss.backward()

        winner = scores.detach().view(len(self.experts), -1).argmax(0)
        won = self._learn(transformed, winner)
        for index in won:
            self._optimizers[index].step()
        self._discriminator_optimizer.step()
        return d_loss.detach(), winner

    def reproduce(self, images: torch.Tensor) -> torch.Tensor:
        """A step of initialization on images `[B, C, H, W]`; returns squared errors `[E]`."""
        images = images.to(memory_format=torch.channels_last)
        _clear(self._optimizers)
        errors = []
        for expert, optimizer in zip(self.experts, self._optimizers, strict=True):
            error = F.mse_loss(expert(images), images)
            error.backward()
            optimizer.step()
            errors.append(error.detach())
        return torch.stack(errors)

    def _forward(self, parameters: dict, images: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(self._expert, parameters, images)

    def _learn(self, transformed: torch.Tensor, winner: torch.Tensor) -> list[int]:
        """Gradients of the winners on their won images; returns who won."""
        indices = [(i, (winner == i).nonzero()[:, 0]) for i in sorted(set(winner.tolist()))]
        again = torch.cat([self.experts[i](transformed[which]) for i, which in indices])
        self.discriminator.requires_grad_(False)
        losses = F.softplus(-self.discriminator(again)).split([len(w) for _, w in indices])
        _clear([self._optimizers[i] for i, _ in indices])
        torch.stack([loss.mean() for loss in losses]).sum().backward()
        self.discriminator.requires_grad_(True)
        return [i for i, _ in indices]


def _adam(network: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), LEARNING_RATE)


def _clear(optimizers: list[torch.optim.Optimizer]) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)


def _channels_last(network: torch.nn.Module) -> torch.nn.Module:
    return network.to(memory_format=torch.channels_last)
