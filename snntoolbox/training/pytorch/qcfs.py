"""The quantised rectifier of QCFS training as a PyTorch module."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from snntoolbox.training.checks import checked_levels, checked_threshold


class QCFS(nn.Module):
    """Quantisation clip-floor-shift: ``h(x) = threshold / L * clip(floor(x L / threshold + 1/2), 0, L)``.

    It computes what an integrate-and-fire neuron with this threshold fires in L steps from half a threshold on (Bu et
    al., arXiv 2303.04347, eq. 8). `levels` is L; `threshold` is the trainable parameter, one for the layer or, with
    `channels`, one for each channel (axis 1). Gradients take floor for the identity: with y = x L / threshold + 1/2,

        dh/dx = 1 where 0 < y < L, else 0;    dh/dthreshold = (h - x) / threshold there, 0 below and 1 above.

    ConversionError where `levels` is no integer >= 1 or `threshold` not above 0 and finite.
    """

    threshold: nn.Parameter

    def __init__(self, levels: int, threshold: float = 1.0, channels: int | None = None) -> None:
        super().__init__()
        self.levels, start = checked_levels(levels), checked_threshold(threshold)
        self.threshold = nn.Parameter(torch.full(() if channels is None else (channels,), start))

    def forward(self, x: Tensor) -> Tensor:
        """The quantised activations, of the shape of `x`."""
        threshold: Tensor = self.threshold
        if threshold.ndim:
            threshold = threshold.reshape(-1, *(1 for _ in x.shape[2:]))
        if torch.compiler.is_exporting():  # no gradients there, and plain operations in whatever mode it works
            return quantized(x, threshold, self.levels)
        return _StraightThrough.apply(x, threshold, self.levels)  # type: ignore[no-any-return, no-untyped-call]

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        shape = "" if self.threshold.ndim == 0 else f", channels={len(self.threshold)}"
        return f"levels={self.levels}, threshold={float(self.threshold.detach().mean()):.4g}{shape}"


def quantized(x: Tensor, threshold: Tensor, levels: int) -> Tensor:
    """``threshold / L * clip(floor(x L / threshold + 1/2), 0, L)``."""
    level = threshold / levels
    return level * torch.clamp(torch.floor(x / level + 0.5), 0, levels)


class _StraightThrough(torch.autograd.Function):
    """The quantised value, with the gradients that the class above gives."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, threshold: Tensor, levels: int) -> Tensor:
        ctx.levels = levels
        ctx.save_for_backward(x, threshold)
        return quantized(x, threshold, levels)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # type: ignore[override]
        x, threshold = ctx.saved_tensors
        counts = x * ctx.levels / threshold + 0.5
        inside = (counts > 0) & (counts < ctx.levels)
        above = (counts >= ctx.levels).to(x)
        slope = torch.where(inside, (quantized(x, threshold, ctx.levels) - x) / threshold, above)
        return gradient * inside, (gradient * slope).sum_to_size(threshold.shape), None
