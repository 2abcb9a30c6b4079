"""Deep networks with random weights for the benchmarks: DenseNet, and SqueezeNet 1.1, as their papers describe them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def densenet121() -> nn.Module:
    """DenseNet-121 with growth 32 and the stem for photographs (Huang et al. 2017, table 1), ten classes."""
    stem = (*_conv(3, 64, 7, stride=2), nn.MaxPool2d(3, stride=2, padding=1))
    return _settled(_DenseNet(stem, 64, 32, (6, 12, 24, 16)), (3, 64, 64))


def densenet_bc_100() -> nn.Module:
    """DenseNet-BC of 100 layers with growth 12, for pictures of 32 x 32 (Huang et al. 2017, section 4.2)."""
    return _settled(_DenseNet((nn.Conv2d(3, 24, 3, padding=1, bias=False),), 24, 12, (16, 16, 16)), (3, 32, 32))


def squeezenet() -> nn.Module:
    """SqueezeNet 1.1 for photographs of 227 x 227 (Iandola et al. 2016), ten classes."""
    fires = ((16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256))
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)]
    channels = 64
    for fire in fires:
        if fire is None:
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            continue
        layers.append(_Fire(channels, *fire))
        channels = 2 * fire[1]
    return nn.Sequential(*layers, nn.Conv2d(channels, 10, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()


class _DenseLayer(nn.Module):
    """Batch normalisation in front of a convolution of 1 x 1 and one of 3 x 3, joined to what it reads."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        narrow = (nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 4 * growth, 1, bias=False))
        wide = (nn.BatchNorm2d(4 * growth), nn.ReLU(), nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False))
        self.layers = nn.Sequential(*narrow, *wide)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.layers(x)], 1)


class _DenseNet(nn.Sequential):
    """Blocks of dense layers; between two of them half of the channels and an average pool."""

    def __init__(self, stem: Sequence[nn.Module], channels: int, growth: int, blocks: Sequence[int]) -> None:
        layers: list[nn.Module] = list(stem)
        for i, count in enumerate(blocks):
            if i:
                half = nn.Conv2d(channels, channels // 2, 1, bias=False)
                layers += [nn.BatchNorm2d(channels), nn.ReLU(), half, nn.AvgPool2d(2)]
                channels //= 2
            for _ in range(count):
                layers.append(_DenseLayer(channels, growth))
                channels += growth
        end = (nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
        super().__init__(*layers, *end)


class _Fire(nn.Module):
    """Few channels, and from them convolutions of 1 x 1 and of 3 x 3 side by side."""

    def __init__(self, channels: int, few: int, many: int) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(channels, few, 1), nn.ReLU())
        self.one = nn.Sequential(nn.Conv2d(few, many, 1), nn.ReLU())
        self.three = nn.Sequential(nn.Conv2d(few, many, 3, padding=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return torch.cat([self.one(x), self.three(x)], 1)


def _conv(channels: int, filters: int, size: int, stride: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(channels, filters, size, stride=stride, padding=size // 2, bias=False)
    return conv, nn.BatchNorm2d(filters), nn.ReLU()


def _settled(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The model with its batch normalisation as some random pictures leave it."""
    with torch.no_grad():
        for _ in range(20):
            model(torch.rand(8, *shape))
    return model.eval()
