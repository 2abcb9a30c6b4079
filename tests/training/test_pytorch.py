"""QCFS in PyTorch: its values, its gradients, and that the frontend reads it however it is written or exported."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import snntoolbox as stb
from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.errors import ConversionError, DataError, UnsupportedError
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.nodes import ReLU
from snntoolbox.training.pytorch import QCFS, replace_relu


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
def test_levels_are_a_whole_number(levels, monkeypatch):
    with pytest.raises(ConversionError, match=r"levels that are an integer >= 1, not .*") as caught:
        QCFS(levels)
    assert repr(levels) in str(caught.value)
    monkeypatch.setattr(nn.Linear, "forward", lambda *a: pytest.fail("it began"))
    with pytest.raises(ConversionError, match="integer >= 1"):
        replace_relu(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), levels, torch.randn(3, 4))


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


# -- replacing ------------------------------------------------------------------------------------------------------


# what is given for an input -> what is said of it
NO_SAMPLES = {
    "nan": (torch.tensor([[0.0, np.nan]]), "1 of 2 values are NaN"),
    "infinite": (np.array([[0.0, -np.inf]]), "1 of 2 values are NaN, infinite"),
    "half": (torch.tensor([[0.0, np.inf]], dtype=torch.bfloat16), "1 of 2"),
    "masked": (np.ma.masked_array([[0.0, 1.0]], [[True, False]]), "masked"),
    "empty": (torch.zeros(0, 2), "there are none"),
    "no batch": (np.float32(1), "there are none"),
    "text": (np.array([["a", "b"]]), "no numbers"),
}


@pytest.mark.parametrize(("samples", "reason"), NO_SAMPLES.values(), ids=NO_SAMPLES)
def test_samples_that_say_nothing_are_refused(samples, reason):
    class Two(nn.Module):
        def forward(self, a, b):
            pytest.fail("it began")

    with pytest.raises(DataError, match=reason) as caught:
        replace_relu(Two(), 4, torch.zeros(1, 2), samples)
    assert "input 2" in str(caught.value)
    with pytest.raises(DataError, match="needs samples"):
        replace_relu(Two(), 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4"])
def test_arrays_are_taken_as_tensors(dtype):
    model, x = nn.Sequential(nn.Linear(4, 6), nn.ReLU()), np.random.default_rng(0).normal(size=(50, 4)).astype("f4")
    given, wanted = replace_relu(model, 4, x.astype(dtype)), replace_relu(model, 4, torch.tensor(x))
    assert given[1].threshold.item() == wanted[1].threshold.item()


def test_arrays_of_integers_stay_that():
    model = nn.Sequential(nn.Embedding(5, 3), nn.ReLU())
    assert isinstance(replace_relu(model, 4, np.array([[0, 4], [1, 2]]))[1], QCFS)


def test_a_model_without_rectifiers_is_told(caplog):
    replace_relu(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), 4, torch.randn(3, 4))
    assert not caplog.records
    replace_relu(nn.Sequential(nn.Linear(4, 4), nn.Tanh()), 4, torch.randn(3, 4))
    assert "nothing was replaced" in caplog.text


def test_replace_relu_takes_all_and_leaves_the_model_alone():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Sequential(nn.Linear(6, 6), nn.ReLU6()), nn.Linear(6, 2))
    with torch.no_grad():
        model[2][0].bias.fill_(20.0)
    x = torch.randn(50, 4)
    model.train()
    made = replace_relu(model, 4, x)
    assert [type(m) for m in model.modules()].count(QCFS) == 0
    assert made.training
    assert type(made[1]) is type(made[2][1]) is QCFS
    assert made[2][1].threshold.item() == 6.0
    assert isinstance(replace_relu(nn.ReLU(), 4, x), QCFS)


def test_thresholds_start_where_the_error_is_least():
    """Values in four levels of 0.5, and one that is far off, for which no threshold is worth the others' error."""
    x = torch.tensor([0.5, 1.0, 1.5, 2.0]).repeat(1000)
    assert replace_relu(nn.ReLU(), 4, x).threshold.item() == pytest.approx(2.0)
    x[0] = 4.0
    assert replace_relu(nn.ReLU(), 4, x).threshold.item() == pytest.approx(2.0, rel=0.02)
    assert replace_relu(nn.ReLU(), 4, -x).threshold.item() == 1.0


def test_a_shared_rectifier_stays_shared():
    relu = nn.ReLU()
    made = replace_relu(nn.Sequential(nn.Linear(4, 4), relu, nn.Linear(4, 4), relu), 4, torch.randn(50, 4))
    assert made[1] is made[3]
    assert isinstance(made[1], QCFS)


class Functional(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.line, self.function = nn.Linear(4, 4), function

    def forward(self, x):
        return self.function(self.line(x))


FUNCTIONS = {
    "functional": functional.relu,
    "in place": torch.relu_,
    "method": lambda x: x.clamp(min=0),
    "relu6": functional.relu6,
}

OTHERS = {"tanh": torch.tanh, "bounds": lambda x: x.clamp(-1, 1), "leaky": lambda x: functional.leaky_relu(x, 0.1)}


@pytest.mark.parametrize("function", OTHERS.values(), ids=OTHERS)
def test_other_functions_stay(function):
    assert isinstance(replace_relu(nn.Sequential(Functional(function), nn.ReLU()), 4, torch.randn(3, 4))[1], QCFS)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_rectifiers_called_as_functions_are_refused_together(function):
    model = nn.Sequential(Functional(function), nn.ReLU(), nn.Sequential(nn.Linear(4, 4), Functional(function)))
    with pytest.raises(UnsupportedError) as caught:
        replace_relu(model, 4, torch.randn(3, 4))
    assert [o.layer for o in caught.value.offenders] == ["0 (Functional)", "2.1 (Functional)"]
    assert "nn.ReLU()" in str(caught.value)


def test_the_phased_schedule_is_the_fine_tuned_network_itself():
    """Each layer integrates before it fires, so as many steps as levels lose nothing, in branches neither."""

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.line, self.relus = nn.Linear(64, 3), nn.ModuleList([nn.ReLU(), nn.ReLU()])

        def forward(self, x):
            a = self.relus[0](self.first(x))
            return self.line(self.relus[1](self.second(a) + a).flatten(1))

    torch.manual_seed(0)
    x = torch.rand(40, 1, 4, 4)
    model = replace_relu(Residual(), 4, x).eval()
    graph = stb.load(model, input_shape=(1, 4, 4))
    network = FireInTurn(4)(stb.convert(graph, x.numpy()))
    exact = graph.run(x.numpy().astype(np.float64))
    found = interpret(network, x.numpy().astype(np.float64), steps=network.schedule.steps)
    np.testing.assert_allclose(found.output, exact, rtol=0, atol=1e-9 * np.abs(exact).max())
