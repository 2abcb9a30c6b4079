"""Samples of odd types and sizes: every engine takes them for the numbers that they are, or they are refused."""

import pickle
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from snntoolbox.backends.simulate import simulate
from snntoolbox.conversion.load import load
from snntoolbox.conversion.stages import convert
from snntoolbox.engine.fast import jit
from snntoolbox.errors import ArgumentError, ConversionError, DataError
from snntoolbox.ir.encodings import ConstantCurrent, Poisson, SpikeTimes, poisson_spikes
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.neurons import IF, Reset

RNG = np.random.default_rng(8)
SAMPLES = RNG.random((20, 5)).astype(np.float32)
ENGINES = ["reference", "dense", "auto", *(["event"] if jit.installed() else [])]


@cache
def graph():
    torch.manual_seed(0)
    return load(nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)), input_shape=(5,))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int64", "uint64", "float16", ">f4", ">i2", "longdouble"])
@pytest.mark.parametrize("coding", ["constant", "poisson"])
def test_every_type_of_number_is_taken(dtype, coding):
    network = convert(graph(), SAMPLES, **({} if coding == "constant" else {"encoding": Poisson(seed=3)}))
    x = (SAMPLES > 0.5).astype(dtype)
    wanted = simulate(network, x.astype(np.float64), duration=16, engine="reference").output
    for engine in ENGINES:
        found = simulate(network, x, duration=16, engine=engine).output
        np.testing.assert_allclose(found, wanted, atol=1e-6, err_msg=engine)


def test_the_least_integer_spikes_in_every_step():
    """|-128| has no place in 8 bits."""
    trains = poisson_spikes(np.full((2, 3), -128, np.int8), 7, Poisson(amplitude=128), 0)
    assert np.all(trains == -1)


@pytest.mark.parametrize("make", [Poisson, SpikeTimes])
@pytest.mark.parametrize("amplitude", [0.0, -1.0, np.nan, np.inf])
def test_amplitudes_that_mean_nothing_are_refused(make, amplitude):
    with pytest.raises(ConversionError, match="amplitude"):
        make(amplitude=amplitude)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(ConversionError, match="seed"):
        Poisson(seed=seed)


@pytest.mark.parametrize("make", [ConstantCurrent, Poisson])
@pytest.mark.parametrize("steps", [0, -1, 1.5])
def test_inputs_for_no_number_of_steps_are_refused(make, steps):
    with pytest.raises(ConversionError, match="steps"):
        make(steps=steps)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reset": "subtrct"}, "none of subtract, zero, modulo"),
        ({"negative": "memry"}, "none of never, memory"),
        ({"initial": np.nan}, "finite"),
        ({"initial": np.array([0.5, np.inf])}, "finite"),
        ({"reset": "zero", "reset_potential": np.nan}, "finite"),
    ],
)
def test_neurons_that_mean_nothing_are_refused(fields, message):
    with pytest.raises(ConversionError, match=message):
        IF(**fields)


@pytest.mark.parametrize("reset", list(Reset))
def test_a_reset_may_be_given_as_a_word(reset):
    """To the interpreter another word than its own was a reset to zero."""
    results = [
        simulate(convert(graph(), SAMPLES, neuron=IF(reset=word)), SAMPLES, duration=16, engine=engine).output
        for word in (reset, str(reset.value))
        for engine in ENGINES
    ]
    for found in results:
        np.testing.assert_allclose(found, results[0], atol=1e-6)


def test_currents_beyond_float32_are_refused_and_not_silent():
    """In float32 they are infinite, their differences no numbers, and such a neuron never fires."""
    network = convert(graph(), SAMPLES)
    with pytest.raises(DataError, match="beyond the range of float32"):
        simulate(network, SAMPLES.astype(np.float64) * 1e300, duration=4, engine="dense")


@pytest.mark.parametrize("bits", [0, 8])
def test_a_bound_for_each_neuron_runs_on_every_engine(bits, monkeypatch):
    class Bounded(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last, self.bound = nn.Linear(5, 6), nn.Linear(6, 3), nn.Parameter(torch.rand(6) + 0.1)

        def forward(self, x):
            return self.last(torch.minimum(torch.relu(self.first(x)), self.bound))

    monkeypatch.setattr(jit, "PATIENCE", 0 if jit.installed() else float("inf"))
    torch.manual_seed(1)
    network = convert(load(Bounded(), input_shape=(5,)), SAMPLES, weight_bits=bits, duration=8)
    (population,) = network.populations.values()
    assert population.bound.size == 6
    wanted = simulate(network, SAMPLES, duration=8, engine="reference").output
    for engine in ENGINES:
        np.testing.assert_allclose(simulate(network, SAMPLES, duration=8, engine=engine).output, wanted, atol=1e-5)


def test_tensors_are_taken_as_arrays():
    tensor = torch.from_numpy(SAMPLES)
    wanted = simulate(convert(graph(), SAMPLES, duration=8), SAMPLES, duration=8).output
    np.testing.assert_array_equal(simulate(convert(graph(), tensor, duration=8), tensor, duration=8).output, wanted)


WRONG_DATA = {
    "masked": (np.ma.masked_greater(SAMPLES, 0.5), "masked"),
    "with gradients": (torch.from_numpy(SAMPLES).requires_grad_(), "no array"),
    "rows of several lengths": ([[[1.0, 2.0], [1.0]]], "no array"),
}


@pytest.mark.parametrize("name", WRONG_DATA)
def test_data_that_would_lose_something_are_refused(name):
    data, message = WRONG_DATA[name]
    with pytest.raises(DataError, match=message):
        convert(graph(), data)


@pytest.mark.parametrize(
    ("choices", "message"),
    [({"weight_bits": 8.0}, "bits = 8.0"), ({"weight_bits": "8"}, "bits = '8'"), ({"duration": "8"}, "no number")],
)
def test_choices_of_another_type_are_refused(choices, message):
    with pytest.raises(ArgumentError if "duration" in choices else ConversionError, match=message):
        convert(graph(), SAMPLES, **choices)


@pytest.mark.parametrize(
    "choices",
    [{"max2avg_pool": "False"}, {"per_channel": 1}, {"normalize": "no"}, {"correction_samples": 20.5}, {"dt": "1"},
     {"readout_correction": True}, {"encoding": "poisson"}, {"neuron": "IF"}, {"percentile": "99"}],
    ids=str,
)  # fmt: skip
def test_choices_that_only_look_right_are_refused(choices):
    """The text "False" is true: it would have replaced max pooling."""
    with pytest.raises(ConversionError, match=f"{next(iter(choices))} = .* is no "):
        convert(graph(), SAMPLES, **choices)


def test_differences_of_spikes_that_are_drawn_anew_are_refused():
    with pytest.raises(ConversionError, match="needs constant-current input"):
        convert(graph(), SAMPLES, encoding=Poisson(), schedule="differential")


def test_a_network_runs_as_long_as_it_was_fitted_to(tmp_path, caplog):
    network = convert(graph(), SAMPLES, duration=16)
    save(network, tmp_path / "net")
    for same in (network, load_network(tmp_path / "net.npz"), pickle.loads(pickle.dumps(network))):
        assert simulate(same, SAMPLES).steps == 16
    assert "fitted" not in caplog.text
    assert simulate(network, SAMPLES, duration=4).steps == 4
    assert "fitted to a run of 16 ms, not 4 ms" in caplog.text
    assert simulate(convert(graph(), SAMPLES), SAMPLES).steps == 64
