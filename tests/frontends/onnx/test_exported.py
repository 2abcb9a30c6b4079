"""Models that torch exports, by both of its exporters, with a free and a fixed batch."""

from __future__ import annotations

import io
import warnings

import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, padding="same", groups=2)
        self.fc = nn.Linear(6 * 4 * 4, 5)

    def forward(self, x):
        x = F.relu6(self.bn(self.conv1(x)))
        x = F.max_pool2d(x + self.conv2(x), 2)
        x = F.dropout(x, 0.2, self.training)
        return F.log_softmax(self.fc(x.view(x.size(0), -1)), dim=1)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        x = F.pad((x - 0.5) / 0.25, (1, 0, 2, 1), value=0.3)
        x = F.relu(self.conv(x))
        x = torch.cat([x, F.interpolate(F.avg_pool2d(x, 2, ceil_mode=True), size=x.shape[-2:], mode="nearest")], 1)
        x = x[:, :, ::2, 1:].flip(1).mean(dim=(2, 3))
        return self.last(torch.clamp(x, min=0))


class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))

    def forward(self, x):
        return self.net(x).squeeze(-1), x.permute(0, 2, 3, 1).flatten(1)


class Upsampled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        x = nn.Upsample(scale_factor=2, mode="bilinear")(self.conv(x))
        a, b = x.chunk(2, dim=1)
        return torch.relu(a - 0.5 * b).amax(dim=(2, 3)).unsqueeze(1)


class Activated(nn.Module):
    def __init__(self):
        super().__init__()
        up = nn.ConvTranspose2d(4, 4, 3, 2, 1, 1)
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.PReLU(4), up, nn.Hardswish())
        self.last = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.SiLU(), nn.Mish(), nn.ELU(), nn.SELU())

    def forward(self, x):
        x = F.leaky_relu(self.first(x), 0.2)
        x = torch.maximum(F.hardtanh(x), F.hardsigmoid(x)).mean((2, 3))
        return torch.tanh(self.last(torch.clamp(x, -0.5, 0.6))), F.gelu(x, approximate="tanh").abs()


class Attending(nn.Module):
    """Torch joins batch and heads: in front with the shares of each key, behind the steps without them."""

    def __init__(self, **settings):
        super().__init__()
        self.attend, self.settings = nn.MultiheadAttention(8, 2, batch_first=True), settings
        for parameter in self.attend.parameters():
            nn.init.normal_(parameter, std=0.5)

    def forward(self, x):
        x = x.mean(1)
        return self.attend(x, x, x, **self.settings)[0]


class AttendingAlone(Attending):
    def __init__(self):
        super().__init__(need_weights=False, attn_mask=torch.full((8, 8), -torch.inf).triu(1))


class AttendingMasked(Attending):
    def __init__(self):
        super().__init__(attn_mask=torch.full((8, 8), -torch.inf).triu(1))


def export(module, *, dynamo, free):
    torch.manual_seed(0)
    module = module().eval()
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.running_mean.normal_()
            child.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 8, 8)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not dynamo:
            axes = {"x": {0: "batch"}} if free else None
            torch.onnx.export(module, (x,), file, input_names=["x"], dynamic_axes=axes, dynamo=False)
            return onnx.load_model_from_string(file.getvalue())
        shapes = ({0: torch.export.Dim("batch", min=1)},) if free else None
        return torch.onnx.export(module, (x,), dynamic_shapes=shapes, dynamo=True, verbose=False).model_proto


CASES = [(m, False, free) for m in (Small, Functional, Pooled, Upsampled) for free in (True, False)]
CASES += [(Activated, False, True), (Activated, True, True)]
CASES += [(m, True, True) for m in (Small, Functional, Pooled, Upsampled)] + [(Small, True, False)]
CASES += [(AttendingMasked, False, True)]
ATTENDING = [(Attending, False, False), (AttendingAlone, True, True), (AttendingMasked, True, False)]
ATTENDING += [(Attending, True, True), (AttendingAlone, False, False)]


@pytest.mark.parametrize(("module", "dynamo", "free"), CASES)
@pytest.mark.one_in(4)
def test_torch_exports(module, dynamo, free, compare):
    graph = compare(export(module, dynamo=dynamo, free=free), samples=5)
    assert graph.shapes[graph.inputs[0]] == (3, 8, 8)


@pytest.mark.long
@pytest.mark.parametrize(("module", "dynamo", "free"), ATTENDING)
def test_torch_exports_of_attention(module, dynamo, free, compare):
    compare(export(module, dynamo=dynamo, free=free), samples=5)
