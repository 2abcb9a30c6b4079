"""replace_relu in PyTorch: what is replaced, with which thresholds, and what is refused."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import snntoolbox as stb
from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.errors import ConversionError, DataError, UnsupportedError
from snntoolbox.ir.interpreter import interpret
from snntoolbox.training.pytorch import QCFS, replace_relu


@pytest.mark.parametrize(
    "levels", [0, -1, 2.5, 4.0, "4", True, None, np.float64(4), np.True_, torch.tensor(4)], ids=repr
)
def test_levels_are_refused_before_the_model_runs(levels, monkeypatch):
    monkeypatch.setattr(nn.Linear, "forward", lambda *a: pytest.fail("it began"))
    with pytest.raises(ConversionError, match="integer >= 1"):
        replace_relu(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), levels, torch.randn(3, 4))


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
