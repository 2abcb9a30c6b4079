"""Events that are spread to all sums they reach: every geometry against numpy, with the neurons behind."""

import numpy as np
import pytest
import torch

from snntoolbox.engine.fast import events_spread, jit
from snntoolbox.engine.fast.bytes_layout import aligned, geometry, planar, rows
from snntoolbox.engine.fast.bytes_maps import Form
from snntoolbox.engine.fast.events_spread import Spread
from snntoolbox.engine.fast.neurons_firing import Firing
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Conv

NUMBA = pytest.mark.skipif(not jit.installed(), reason="needs numba")

# shape of a sample, filters, padding, share of bytes that are not 0
LAYERS = {
    "same": ((4, 5, 6), 16, ((1, 1), (1, 1)), 0.3),
    "many of a place": ((7, 5, 4), 32, ((1, 1), (1, 1)), 1.0),
    "few filters": ((3, 4, 7), 5, ((1, 1), (1, 1)), 0.2),
    "valid": ((2, 6, 5), 17, ((0, 0), (0, 0)), 0.5),
    "full": ((2, 3, 4), 16, ((2, 2), (2, 2)), 0.5),
    "uneven": ((2, 5, 4), 16, ((2, 0), (0, 1)), 0.5),
    "one place": ((3, 1, 1), 16, ((1, 1), (1, 1)), 0.5),
    "nothing": ((2, 4, 4), 16, ((1, 1), (1, 1)), 0.0),
}
STEPS, BATCH = 9, 2


def layer(name, largest=9):
    shape, filters, padding, share = LAYERS[name]
    random = np.random.default_rng(len(name))
    weight = random.integers(-largest, largest + 1, (filters, shape[0], 3, 3)).astype(float)
    node = Conv(name="n", inputs=("x",), weight=weight, stride=(1, 1), padding=padding, dilation=(1, 1), groups=1)
    return node, shape, random.random((STEPS * BATCH, *shape)) < share


@pytest.fixture(autouse=True)
def widest(monkeypatch):
    """As on a processor with the widest registers: others take less, and compute the same."""
    monkeypatch.setattr(events_spread, "place_bytes", lambda: 128)


def spread_of(node, shape, form, whole=True):
    return Spread.of(planar(node.weight), geometry(node, node.weight, shape), form, whole=whole)


@pytest.fixture(params=["plain", pytest.param("compiled", marks=NUMBA)])
def way(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(events_spread, "compiled", lambda loop: loop)


def assert_neurons_get(product, node, shape, x, factor, dtype):
    """Spikes, counts and potentials after each step are those of neurons that get the convolution of these bytes."""
    cells = IF(threshold=np.float64(11.0), initial=0.25)
    wanted = node.linear(x * factor).reshape(STEPS, BATCH, *node.output_shape(shape))
    population = Population(
        name="p", shape=wanted.shape[2:], neuron=cells, current="n", scale=np.ones(1), activation="n"
    )
    firing = Firing(population, BATCH, dtype, fused=True).restart(None)
    laid = rows(torch.from_numpy(x.astype(np.uint8))).contiguous()
    given = laid.view(len(x), *shape[1:], shape[0]).movedim(-1, 1)
    spikes = product.fire(given, firing, STEPS).view(STEPS, BATCH, *wanted.shape[2:])
    potential, counts = np.full(wanted.shape[1:], 0.25), 0
    for step in range(STEPS):
        potential = potential + wanted[step]
        fired = potential >= 11
        potential = potential - 11 * fired
        counts = counts + fired
        assert np.array_equal(spikes[step].numpy(), fired)
    assert np.array_equal(firing.counts.numpy(), counts)
    assert np.array_equal(firing.potential.numpy(), rows(torch.from_numpy(potential)).numpy())


@pytest.mark.parametrize("kind", ["short", "long", "float"])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.usefixtures("way")
def test_neurons_get_the_convolution(name, kind):
    node, shape, fired = layer(name, {"short": 9, "long": 30000, "float": 9}[kind])
    peak = 1 if kind == "long" or name == "same" else 3
    x = fired * np.random.default_rng(0).integers(1, peak + 1, fired.shape)
    factor = 0.25 if kind == "float" else 1.0
    product = spread_of(node, shape, Form(peak, factor), whole=kind != "float")
    assert product.like.dtype == {"short": np.int16, "long": np.int32, "float": np.float32}[kind]
    dtype = torch.float64 if kind == "long" else torch.float32
    assert_neurons_get(product, node, shape, x, factor, dtype)


@NUMBA
def test_samples_are_shared_by_threads():
    threads = torch.get_num_threads()
    node, shape, fired = layer("same")
    try:
        torch.set_num_threads(5)  # more than samples: each has several bands of rows
        assert_neurons_get(spread_of(node, shape, Form(1)), node, shape, fired, 1.0, torch.float32)
    finally:
        torch.set_num_threads(threads)


def test_sums_take_the_narrowest_type_that_holds_them():
    """Of the weights of one sign alone: no events make a sum that leaves it."""
    weight = np.zeros((2, 3, 3, 3))
    weight[0] = 2**15 // 27
    assert events_spread._type(weight, 1) is np.int16
    weight[0, 0, 0, 0] += 17  # 27 * 1213 + 17 is 2^15
    assert events_spread._type(weight, 1) is np.int32
    weight[1] = -weight[0]
    weight[0] = 0
    assert events_spread._type(weight, 1) is np.int32
    assert events_spread._type(np.stack([np.full((3, 3, 3), 40.0), np.full((3, 3, 3), -40.0)]), 30) is np.int16


@pytest.mark.parametrize(
    "change",
    [
        {"stride": (2, 1)},
        {"dilation": (1, 2)},
        {"padding": ((3, 1), (1, 1))},
        {"padding": ((1, 3), (1, 1))},
        {"weight": np.ones((16, 4, 3, 2))},
        {"weight": np.ones((33, 4, 3, 3))},
    ],
)
def test_other_windows_are_gathered(change):
    given = {"weight": np.ones((16, 4, 3, 3)), "padding": ((1, 1), (1, 1)), "stride": (1, 1), "dilation": (1, 1)}
    node = Conv(name="n", inputs=("x",), groups=1, **{**given, **change})
    assert spread_of(node, (4, 8, 8), Form(1)) is None
    assert spread_of(Conv(name="n", inputs=("x",), groups=1, **given), (4, 8, 8), Form(1)) is not None
    assert spread_of(Conv(name="n", inputs=("x",), groups=1, **given), (4, 8, 400), Form(1)) is None


def test_sums_that_do_not_stay_in_registers_are_gathered(monkeypatch):
    """Those of 32 filters as floats, where registers are half as wide."""
    monkeypatch.setattr(events_spread, "place_bytes", lambda: 64)
    for name, whole, there in (
        ("many of a place", True, True),
        ("many of a place", False, False),
        ("same", False, True),
    ):
        node, shape, _ = layer(name)
        assert (spread_of(node, shape, Form(1), whole=whole) is not None) == there


def test_aligned_begins_at_a_line_of_the_cache():
    values = np.arange(35, dtype=np.int16).reshape(5, 7)
    found = [aligned(values) for _ in range(9)]
    assert all(f.ctypes.data % 64 == 0 and np.array_equal(f, values.reshape(-1)) for f in found)
