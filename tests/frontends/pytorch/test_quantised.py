"""Quantised models of PyTorch: fake quantisation and PT2E's exports, value by value; or refused by node."""

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed
from torch import nn

from snntoolbox.conversion.load import load
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.nodes import Dense, ReLU

Q = torch.ops.quantized_decomposed
X = np.random.default_rng(0).random((9, 4), dtype=np.float32) * 3


class Quantised(nn.Module):
    """As PT2E leaves a model: integer weights, and pairs of quantize and dequantize."""

    input_shape = (4,)

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        for name, shape in (("first", (6, 4)), ("second", (3, 6))):
            weight = torch.randint(-127, 128, shape, generator=generator, dtype=torch.int8)
            self.register_buffer(name, weight)
        self.register_buffer("scales", torch.tensor([0.011, 0.013, 0.017]))
        self.register_buffer("zeros", torch.zeros(3, dtype=torch.int64))

    def grid(self, x, scale, zero, low=-128, high=127):
        x = Q.quantize_per_tensor(x, scale, zero, low, high, torch.int8)
        return Q.dequantize_per_tensor(x, scale, zero, low, high, torch.int8)

    def forward(self, x):
        first = Q.dequantize_per_tensor(self.first, 0.0073, 0, -127, 127, torch.int8)
        second = Q.dequantize_per_channel(self.second, self.scales, self.zeros, 0, -127, 127, torch.int8)
        x = torch.relu(nn.functional.linear(self.grid(x, 0.0123, -128), first))
        return self.grid(nn.functional.linear(self.grid(x, 0.0211, -128), second), 0.037, 3)


class Fake(nn.Module):
    input_shape = (4,)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 5)
        self.register_buffer("scale", torch.tensor(0.0171))
        self.register_buffer("zero", torch.tensor(0, dtype=torch.int32))

    def forward(self, x):
        rows, zeros = torch.full((5,), 0.0031), torch.zeros(5, dtype=torch.int32)
        weight = torch.fake_quantize_per_channel_affine(self.layer.weight, rows, zeros, 0, -127, 127)
        x = torch.relu(nn.functional.linear(x, weight, self.layer.bias))
        return torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero, 0, 255)


def levels(graph):
    return [node.levels for node in graph.nodes.values() if isinstance(node, ReLU) and node.levels]


def same(graph, module):
    with torch.no_grad():
        wanted = module(torch.from_numpy(X)).numpy()
    assert np.abs(graph.run(X) - wanted).max() < 1e-5


@pytest.mark.one_in(2)
@pytest.mark.parametrize("form", ["live", "pt2"])
def test_a_quantised_export(form, tmp_path):
    module = Quantised()
    program = torch.export.export(module, (torch.ones(2, 4),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, tmp_path / "net.pt2")
    graph = load(module if form == "live" else tmp_path / "net.pt2")
    same(graph, module)
    assert levels(graph) == [255, 255, 124, 131]
    first = next(n for n in graph.nodes.values() if isinstance(n, Dense))
    assert np.array_equal(first.weight, module.first.numpy().astype(np.float32) * np.float32(0.0073))


def test_fake_quantisation():
    graph = load(Fake())
    same(graph, Fake())
    assert levels(graph) == [255]


REFUSED = {
    "another grid": (
        lambda x: Q.dequantize_per_tensor(
            Q.quantize_per_tensor(x, 0.5, 0, 0, 255, torch.uint8), 0.25, 0, 0, 255, torch.uint8
        ),
        "of another grid",
    ),
    "arithmetic of integers": (
        lambda x: Q.dequantize_per_tensor(
            Q.quantize_per_tensor(x, 0.5, 0, 0, 255, torch.uint8) + 1, 0.5, 0, 0, 255, torch.uint8
        ),
        "of another grid",
    ),
    "channels": (
        lambda x: torch.fake_quantize_per_channel_affine(
            x, torch.ones(4), torch.zeros(4, dtype=torch.int32), 1, 0, 255
        ),
        "a scale for each channel",
    ),
    "integers as output": (lambda x: Q.quantize_per_tensor(x, 0.5, 0, 0, 255, torch.uint8), "gives integers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    function, told = REFUSED[case]

    class Model(nn.Module):
        input_shape = (4,)

        def forward(self, x):
            return function(x)

    with pytest.raises(UnsupportedError, match=told):
        load(Model())


def test_observers_are_frozen_first():
    fake = torch.ao.quantization.FusedMovingAvgObsFakeQuantize()
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), fake)
    model(torch.rand(8, 4))
    with pytest.raises(UnsupportedError, match="disable_observer"):
        load(model, input_shape=(4,))


def test_disabled_observers_of_training():
    quantization = torch.ao.quantization
    chain = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).train()
    chain.qconfig = quantization.get_default_qat_qconfig("fbgemm")
    quantization.prepare_qat(chain, inplace=True)
    chain(torch.from_numpy(X))
    graph = load(chain.apply(quantization.disable_observer).eval(), input_shape=(4,))
    same(graph, chain)
    assert len(levels(graph)) >= 2
