"""QCFS in PyTorch: its values, its gradients, and that the frontend reads it however it is written or exported."""

import numpy as np
import pytest
import torch
from torch import nn

import snntoolbox as stb
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.nodes import ReLU
from snntoolbox.training.pytorch import QCFS


def test_values_are_the_nearest_levels():
    x = torch.tensor([-9.0, -0.1, 0.24, 0.25, 0.74, 0.75, 1.7, 1.75, 2.0, 9.0])
    assert QCFS(4, 2.0)(x).tolist() == [0, 0, 0, 0.5, 0.5, 1, 1.5, 2, 2, 2]
    assert QCFS(1, 2.0)(x).tolist() == [0, 0, 0, 0, 0, 0, 2, 2, 2, 2]


def test_channels_have_thresholds_of_their_own():
    layer, x = QCFS(2, 1.0, channels=3), torch.full((1, 3, 2, 2), 0.6)
    with torch.no_grad():
        layer.threshold.copy_(torch.tensor([0.4, 1.0, 4.0]))
    np.testing.assert_allclose(layer(x)[0, :, 0, 0].tolist(), [0.4, 0.5, 0.0])
    layer(x).sum().backward()
    assert layer.threshold.grad.shape == (3,)


NO_LEVELS = [0, -1, 2.5, 4.0, "4", True, None, np.float64(4), np.True_, torch.tensor(4)]


@pytest.mark.parametrize("levels", NO_LEVELS, ids=repr)
def test_levels_are_a_whole_number(levels):
    with pytest.raises(ConversionError, match=r"levels that are an integer >= 1, not .*") as caught:
        QCFS(levels)
    assert repr(levels) in str(caught.value)


def test_a_whole_number_of_numpy_is_one():
    assert type(QCFS(np.int64(4)).levels) is int


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf"), "a", None])
def test_what_is_no_threshold_is_refused(threshold):
    with pytest.raises(ConversionError, match="QCFS needs a threshold"):
        QCFS(4, threshold)


def surrogate(x, threshold, levels, at):
    """The function that is differentiated: floor(y) goes on from the point `at` as y does; outside it is flat."""
    counts, there = (v * levels / t + 0.5 for v, t in ((x, threshold), at))
    inside = (there > 0) & (there < levels)
    steps = np.where(inside, np.floor(there) + counts - there, np.clip(np.floor(there), 0, levels))
    return threshold / levels * steps


@pytest.mark.parametrize("levels", [1, 4, 7])
def test_gradients_are_finite_differences_of_the_surrogate(levels):
    random = np.random.default_rng(levels)
    x, threshold, gradient = random.normal(size=(40, 3)), random.uniform(0.3, 2, size=3), random.normal(size=(40, 3))
    layer = QCFS(levels, channels=3).double()
    with torch.no_grad():
        layer.threshold.copy_(torch.tensor(threshold))
    given = torch.tensor(x, requires_grad=True)
    layer(given).backward(torch.tensor(gradient))
    step, at = 1e-6, (x, threshold)
    of_x = (surrogate(x + step, threshold, levels, at) - surrogate(x - step, threshold, levels, at)) / (2 * step)
    moved = (surrogate(x, threshold + step, levels, at) - surrogate(x, threshold - step, levels, at)) / (2 * step)
    np.testing.assert_allclose(given.grad.numpy(), gradient * of_x, atol=1e-8)
    np.testing.assert_allclose(layer.threshold.grad.numpy(), (gradient * moved).sum(axis=0), atol=1e-7)
    assert 0 < np.count_nonzero(of_x) < of_x.size, "both kinds are there"


# -- the frontend ---------------------------------------------------------------------------------------------------


class Official(nn.Module):
    """As the authors of QCFS write it: bounds first, then floor, factor by factor."""

    def __init__(self, levels, threshold):
        super().__init__()
        self.levels, self.thresh = levels, nn.Parameter(torch.tensor([threshold]))

    def forward(self, x):
        x = torch.clamp(x / self.thresh, 0, 1)
        x = torch.floor(x * self.levels + 0.5) / self.levels
        return x * self.thresh


def net(activation):
    torch.manual_seed(0)
    first = (nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), activation(), nn.MaxPool2d(2))
    model = nn.Sequential(*first, nn.Flatten(), nn.Linear(27, 8), activation(), nn.Linear(8, 4)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
            if p.ndim <= 1 and p.numel() == 1:
                p.copy_(torch.tensor(0.7))
    return model


def rectifiers(graph):
    return [n for n in graph.nodes.values() if isinstance(n, ReLU)]


WRITTEN = {"ours": lambda: QCFS(4, 0.7), "the authors'": lambda: Official(4, 0.7)}


@pytest.mark.parametrize("activation", WRITTEN.values(), ids=WRITTEN)
def test_the_frontend_reads_it(activation):
    graph = stb.load(net(activation), input_shape=(2, 6, 6))
    assert [n.kind for n in graph.nodes.values()] == [
        *("Input", "Conv", "ReLU", "MaxPool", "Reshape", "Dense", "ReLU", "Dense")
    ]
    assert [n.levels for n in rectifiers(graph)] == [4, 4]
    np.testing.assert_allclose([n.max_value for n in rectifiers(graph)], 0.7, rtol=1e-6)


def test_thresholds_per_channel_are_read():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), QCFS(4, 1.0, channels=3))
    with torch.no_grad():
        model[1].threshold.copy_(torch.tensor([0.4, 1.0, 4.0]))
    (relu,) = rectifiers(stb.load(model, input_shape=(2, 6, 6)))
    np.testing.assert_allclose(relu.max_value.ravel(), [0.4, 1.0, 4.0], rtol=1e-6)
    assert relu.name == "1"
    assert str(relu.origin) == "1 (pytorch QCFS)"


@pytest.mark.parametrize("strict", [False, True])
def test_exported_programs_are_read(tmp_path, strict):
    program = torch.export.export(net(WRITTEN["ours"]), (torch.zeros(2, 2, 6, 6),), strict=strict)
    torch.export.save(program, tmp_path / "net.pt2")
    assert [n.levels for n in rectifiers(stb.load(tmp_path / "net.pt2"))] == [4, 4]


def test_onnx_files_are_read(tmp_path):
    pytest.importorskip("onnxscript")
    path = tmp_path / "net.onnx"
    torch.onnx.export(net(WRITTEN["ours"]), (torch.zeros(1, 2, 6, 6),), path, dynamo=True, verbose=False)
    assert [n.levels for n in rectifiers(stb.load(path))] == [4, 4]


def test_a_floor_without_bounds_is_refused_by_name():
    class Floor(nn.Module):
        def forward(self, x):
            return torch.floor(x)

    graph = stb.load(nn.Sequential(nn.Linear(3, 3), Floor()), input_shape=(3,))
    with pytest.raises(UnsupportedError, match=r"floor.*clip\(floor"):
        stb.convert(graph)


def test_a_spiking_layer_in_l_steps_is_the_quantised_one():
    """The layer that reads constant currents: V never leaves [0, 1) for good, so every level is met exactly."""
    layer = nn.Sequential(nn.Linear(5, 8), QCFS(8, 0.9)).eval()
    graph = stb.load(layer, input_shape=(5,))
    x = np.random.default_rng(0).normal(size=(100, 5)).astype(np.float32)
    network = stb.convert(graph, x)
    (population,) = network.populations.values()
    np.testing.assert_allclose(population.scale, 0.9, rtol=1e-6)
    counts = interpret(network, x.astype(np.float64), steps=8).counts[population.name]
    np.testing.assert_allclose(counts / 8 * population.scale, layer(torch.tensor(x)).detach().numpy(), atol=1e-6)


def test_another_start_potential_is_not_taken_and_warned_of(caplog):
    graph = stb.load(nn.Sequential(nn.Linear(5, 8), QCFS(8, 0.9), nn.Linear(8, 3), nn.ReLU()), input_shape=(5,))
    x = np.random.default_rng(0).random((20, 5)).astype(np.float32)
    with caplog.at_level("WARNING", "snntoolbox"):
        network = stb.convert(graph, x)
        assert "QCFS" not in caplog.text
        network = stb.convert(graph, x, neuron=stb.IF(initial=0.0))
    assert "half a threshold, as they were trained" in caplog.text
    assert [p.neuron.initial for p in network.populations.values()] == [0.5, 0.0]
