"""The parts of the fast paths alone: digits, 8-bit products, bytes moved and summed, events, firing, recordings."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from snntoolbox.backends.inisim import kept
from snntoolbox.engine.fast import (
    compiled_loops,
    events_products,
    jit,
    neurons_firing,
    neurons_loops,
    products_int8,
    products_tiled,
)
from snntoolbox.engine.fast.bytes_layout import rows, shaped
from snntoolbox.engine.fast.bytes_maps import Form, moved
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import AveragePool, Concat, Conv, Dense, Mean, Pad, Permute, Reshape, Take

RANDOM = np.random.default_rng(0)
COMPILED = [False, pytest.param(True, marks=pytest.mark.skipif(not jit.installed(), reason="needs numba"))]


@given(arrays.arrays(np.int64, 20, elements=st.integers(-32767, 32767)))
def test_digits_are_bytes_that_add_up(weight):
    parts = products_int8.digits(weight.astype(np.float64))
    assert all(np.abs(d + 0.5).max() < 128 and np.all(d == np.rint(d)) for _, d in parts)
    assert np.array_equal(sum(f * d for f, d in parts), weight)
    assert len(parts) == 1 or np.abs(weight).max() > 127
    assert len(parts) < 3 or weight.max() > 32639


CONVOLUTIONS = {
    "plain": (16, 8, (3, 3), {}),
    "strided, uneven": (4, 8, (3, 2), {"padding": ((0, 1), (2, 1)), "stride": (2, 1)}),
    "dilated": (4, 3, (3, 3), {"padding": ((2, 2), (2, 2)), "dilation": (2, 2)}),
    "groups": (6, 6, (3, 3), {"groups": 3}),
    "depthwise": (8, 8, (3, 3), {"groups": 8}),
    "one axis": (4, 8, (3,), {"padding": ((1, 1),), "stride": (2,), "dilation": (1,)}),
    "one axis, uneven": (4, 8, (4,), {"padding": ((1, 2),), "stride": (1,), "dilation": (1,)}),
}


def convolution(name, limit):
    channels, filters, kernel, given = CONVOLUTIONS[name]
    geometry = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1, **given}
    weight = RANDOM.integers(-limit, limit + 1, (filters, channels // geometry["groups"], *kernel)).astype(float)
    shape = (channels, *(9, 8)[: len(kernel)])
    return Conv(name="c", inputs=("x",), weight=weight, **geometry), shape


def values_below(peak, *shape):
    return RANDOM.integers(0, peak + 1, shape).astype(np.uint8)


@pytest.mark.skipif(not products_int8.works(), reason="no exact 8-bit products here")
@pytest.mark.parametrize("name", ["plain", "depthwise", "dense"])
def test_integer_product_takes_any_order_in_memory(name):
    """Keras keeps the weights of dense layers transposed, and bytes may be a view of others."""
    if name == "dense":
        node, shape = Dense(name="d", inputs=("x",), weight=RANDOM.integers(-127, 128, (7, 33)) * 1.0), (33,)
    else:
        node, shape = convolution(name, 127)
    x = values_below(1, 5, *shape)
    wanted = node.linear(x.astype(np.float64))
    product, _ = products_int8.product(node, np.asfortranarray(node.weight), 1)
    for stored in (x, np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2]):
        assert np.array_equal(product(torch.from_numpy(stored)).numpy(), wanted)


@pytest.mark.skipif(not products_int8.works(), reason="no exact 8-bit products here")
@pytest.mark.parametrize(("limit", "passes"), [(127, 1), (3000, 2), (32767, 3)])
@pytest.mark.parametrize("name", [*CONVOLUTIONS, "dense"])
def test_integer_product_is_exact(name, limit, passes):
    if name == "dense":
        node, shape = Dense(name="d", inputs=("x",), weight=RANDOM.integers(-limit, limit + 1, (7, 33)) * 1.0), (33,)
    else:
        node, shape = convolution(name, limit)
    node.weight.flat[0] = limit
    x = values_below(127, 5, *shape)
    kernel, found = products_int8.product(node, node.weight, 127)
    assert found == passes
    with torch.inference_mode():
        assert np.array_equal(kernel(torch.from_numpy(x)).numpy(), node.linear(x.astype(float)))


@pytest.mark.parametrize(
    ("weight", "peak"),
    [
        (np.full((2, 3), 0.5), 1),  # no whole number
        (np.full((2, 3), 40000.0), 1),  # more than 16 bits
        (np.full((2, 4000), 127.0), 127),  # the sum needs four pieces, as three passes are the most
    ],
)
def test_inexact_products_are_not_taken(weight, peak):
    assert products_int8.product(Dense(name="d", inputs=("x",), weight=weight), weight, peak) is None


@pytest.mark.skipif(not products_int8.works(), reason="no exact 8-bit products here")
@pytest.mark.parametrize(("size", "low", "passes"), [(2000, -127, 1), (2001, 0, 2), (3003, 64, 3), (1100, 3000, 2)])
def test_dense_sums_beyond_float32_are_exact(size, low, passes):
    """In pieces, each below 2^24; where positive and negative weights take off each other, more of them in one."""
    weight = RANDOM.integers(low, max(low, 127) + 1, (5, size)).astype(float)
    weight[0] = np.abs(weight).max() * (1 - 2 * (np.arange(size) % 2) * (low < 0))
    node = Dense(name="d", inputs=("x",), weight=weight)
    assert 127 * np.abs(weight).sum(axis=1).max() >= 2**24
    kernel, found = products_int8.product(node, weight, 127)
    assert found == passes
    x = np.stack([np.full(size, 127), 127 * (weight[0] > 0), 127 * (weight[0] < 0), *values_below(127, 3, size)])
    with torch.inference_mode():
        assert np.array_equal(kernel(torch.from_numpy(x.astype(np.uint8))).double().numpy(), node.linear(x))


@pytest.mark.skipif(not products_int8.works(), reason="no exact 8-bit products here")
def test_convolutions_are_not_cut():
    node, _ = convolution("plain", 127)
    many = np.full((2, 1000, 3, 3), 127.0)
    assert products_int8.product(node, many, 127) is None


WIDE = ((0, 0), (0, 0))
MOVES = {
    "reshape": (Reshape(name="n", inputs=("x",), shape=(48,)), 1, Form(1)),
    "permute": (Permute(name="n", inputs=("x",), axes=(1, 2, 0)), 1, Form(1)),
    "take": (Take(name="n", inputs=("x",), axis=1, indices=(3, 1)), 1, Form(1)),
    "pad": (Pad(name="n", inputs=("x",), pads=((0, 0), (1, 0), (0, 2))), 1, Form(1)),
    "concat": (Concat(name="n", inputs=("x", "x"), axis=0), 1, Form(1)),
    "pool": (AveragePool(name="n", inputs=("x",), kernel=(2, 2), stride=(2, 2), padding=WIDE), 1, Form(4, 0.25)),
    "of sums": (AveragePool(name="n", inputs=("x",), kernel=(2, 2), stride=(2, 2), padding=WIDE), 5, Form(20, 0.25)),
    "overlapping": (
        AveragePool(
            name="n", inputs=("x",), kernel=(4, 2), stride=(1, 1), padding=((1, 1), (0, 1)), count_padding=True
        ),
        1,
        Form(8, 0.125),
    ),
    "sums": (
        AveragePool(name="n", inputs=("x",), kernel=(3, 3), stride=(1, 1), padding=WIDE, summed=True),
        2,
        Form(18),
    ),
    "mean": (Mean(name="n", inputs=("x",), axes=(1, 2)), 3, Form(48, 1 / 16)),
    "by nine": (AveragePool(name="n", inputs=("x",), kernel=(3, 3), stride=(1, 1), padding=WIDE), 1, None),
    "borders": (
        AveragePool(name="n", inputs=("x",), kernel=(2, 2), stride=(2, 2), padding=((1, 1), (1, 1))),
        1,
        None,
    ),
    "too large": (Mean(name="n", inputs=("x",), axes=(1, 2)), 8, None),
}


@pytest.mark.parametrize("fused", [False, pytest.param(True, marks=pytest.mark.skipif(not jit.installed(), reason=""))])
@pytest.mark.parametrize("name", MOVES)
def test_bytes_stay_exact(name, fused):
    node, peak, wanted = MOVES[name]
    x = values_below(peak, 6, 3, 4, 4)
    x[0] = peak
    found = moved(node, (Form(peak),) * len(node.inputs), ((3, 4, 4),) * len(node.inputs), fused=fused)
    assert (found and found[0]) == wanted
    if found:
        given = [shaped(rows(torch.from_numpy(x)).clone(), (3, 4, 4))] * len(node.inputs)
        value = found[1](*given)
        assert value.dtype == torch.uint8
        exact = node.linear(*(a.numpy().astype(float) for a in given))
        assert np.array_equal(value.numpy() * wanted.factor, exact)


def test_layout_is_undone():
    for shape in ((5,), (3, 4), (3, 4, 2), (2, 3, 4, 5)):
        x = torch.arange(2 * int(np.prod(shape))).view(2, *shape)
        assert torch.equal(shaped(rows(x).contiguous(), shape), x)
    assert rows(torch.arange(24).view(1, 2, 3, 4))[0, :3].tolist() == [0, 12, 1]


COMPILED = [False, pytest.param(True, marks=pytest.mark.skipif(not jit.installed(), reason="needs numba"))]


def layer(name, limit, filters=5):
    if name == "dense":
        return Dense(name="d", inputs=("x",), weight=RANDOM.integers(-limit, limit + 1, (filters, 77)) * 1.0), (77,)
    return convolution(name, limit)


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("form", [Form(1), Form(4, 0.25)])
@pytest.mark.parametrize("name", ["plain", "strided, uneven", "dilated", "one axis", "one axis, uneven", "dense"])
def test_events_sum_like_products(name, form, compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(events_products, "compiled", lambda loop: loop)  # the loops are plain Python as well
    node, shape = layer(name, 9)
    x = torch.from_numpy(values_below(form.peak, 2, *shape) * (RANDOM.random((2, *shape)) < 0.5).astype(np.uint8))
    product = events_products.EventProduct(node, node.weight, shape, form, lambda v: v, always=True)
    assert np.array_equal(product(x).numpy(), node.linear(x.numpy() * form.factor))
    assert product.taken == {"event"}


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize(("limit", "peak", "dtype"), [(127, 1, np.int16), (127, 16, np.int16), (32767, 3, np.int32)])
@pytest.mark.parametrize("name", ["plain", "strided, uneven", "dense"])
def test_whole_events_sum_exactly(name, limit, peak, dtype, compiled, monkeypatch):
    """All weights at their largest, all bytes too: 16 bits would run over if they were not emptied in time."""
    if not compiled:
        monkeypatch.setattr(events_products, "compiled", lambda loop: loop)
    node, shape = layer(name, limit, filters=170)
    node.weight[:2] = limit
    x = values_below(peak, 2, *shape)
    x[0] = peak
    product = events_products.EventProduct(node, node.weight, shape, Form(peak), lambda v: v, always=True, whole=True)
    assert product.rows.dtype == dtype
    assert np.array_equal(product(torch.from_numpy(x)).numpy(), node.linear(x.astype(float)))


@pytest.mark.skipif(not jit.installed(), reason="needs numba")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", range(4))
def test_vector_neurons_are_the_plain_ones(mode, dtype):
    n, batch, steps = 83, 3, 7
    state = {"v": RANDOM.normal(size=batch * n), "drive": RANDOM.normal(size=n), "theta": RANDOM.random(n)}
    state = {k: v.astype(dtype) for k, v in state.items()}
    current = RANDOM.normal(size=steps * batch * n).astype(dtype)
    found = []
    for loop in (neurons_loops.fire, jit.compiled(neurons_loops.fire)):
        v, counts = state["v"].copy(), np.zeros(batch * n, np.int32)
        spikes = np.zeros(steps * batch * n, np.uint8)
        drives = (mode, v, state["drive"], True, state["theta"], dtype(0.1), counts, spikes, current)
        loop(n, batch, steps, *drives, 0, batch)
        found.append((v, counts, spikes))
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
    assert found[0][1].sum() == found[0][2].sum() > 0


def test_small_layers_stay_dense(monkeypatch):
    spread = [events_products.limit(np.ones((16, n, 3, 3)), whole=True, spread=True) for n in (16, 32, 128)]
    assert 0.1 < spread[0] < spread[1] < spread[2] == events_products.SPARSE["spread"]
    for quick, usual in ((True, "whole"), (False, "slow")):  # where bytes are multiplied slowly, events pay for longer
        monkeypatch.setattr(products_tiled, "works", lambda quick=quick: quick)
        monkeypatch.setattr(products_tiled, "sums_in_pairs", lambda: False)
        assert events_products.limit(np.ones((64, 64, 3, 3)), whole=True) == events_products.SPARSE[usual]
    assert events_products.SPARSE["slow"] > events_products.SPARSE["whole"]
    assert events_products.limit(np.ones((16, 16, 3, 3)), whole=True) == 0
    assert (
        events_products.limit(np.ones((16, 16, 3, 3)), whole=False)
        == events_products.SPARSE["float"]
        > events_products.SPARSE["whole"]
    )


def test_events_pay_for_less_beside_tiles_of_pairs(monkeypatch):
    """Where there are such tiles; a layer without keeps the limit that it has beside slow products."""
    node = Conv(
        name="n", inputs=("x",), weight=np.ones((64, 64, 1, 1)), stride=(1, 1), padding=((0, 0), (0, 0)),
        dilation=(1, 1), groups=1,
    )  # fmt: skip
    monkeypatch.setattr(products_tiled, "works", lambda: True)
    monkeypatch.setattr(products_tiled, "sums_in_pairs", lambda: True)
    layer = events_products.EventProduct(node, node.weight, (64, 4, 4), Form(1), lambda v: v, always=False, whole=True)
    layer.beside(None)
    assert layer.fired == layer.sparse == events_products.SPARSE["dense"]
    layer.beside(products_tiled.Tiles.of(node, node.weight, (64, 4, 4), 1))
    assert layer.fired < 0.05 < layer.sparse


def test_sums_alone_are_not_spread():
    """What other trains are added to is gathered first: the limit is that of gathering."""
    node = Conv(
        name="n", inputs=("x",), weight=np.ones((16, 16, 3, 3)), stride=(1, 1), padding=((1, 1), (1, 1)),
        dilation=(1, 1), groups=1,
    )  # fmt: skip
    layer = events_products.EventProduct(node, node.weight, (16, 4, 4), Form(1), lambda v: v, always=False, whole=True)
    few = torch.zeros((1, 16, 4, 4), dtype=torch.uint8)
    assert (layer.suits(few, fires=True), layer.suits(few)) == (True, False)
    assert layer.taken == {"event", "dense"}


def population(**fields):
    return Population(name="p", shape=(2,), neuron=IF(**fields), current="c", scale=np.ones(1), activation="a")


def test_only_plain_neurons_are_taken():
    assert neurons_firing.plain(population())
    assert neurons_firing.plain(
        population(threshold=np.array([1.0, 2.0]), initial=0.5, reset=Reset.ZERO, reset_potential=0.1)
    )
    for fields in ({"leak": 0.9}, {"refractory": 1}, {"reset": Reset.MODULO}, {"saturation": (-2.0, 2.0)}):
        assert not neurons_firing.plain(population(**fields))
    assert neurons_firing.plain(replace(population(), bias=np.ones(2)))


def test_big_recordings_lie_on_disk(monkeypatch):
    assert not isinstance(kept.recording((3, 4), bool), np.memmap)
    monkeypatch.setattr(kept, "ON_DISK", 11)
    found = kept.recording((3, 4), bool)
    assert isinstance(found, np.memmap)
    found[:] = True
    assert found.all()
    assert found.shape == (3, 4)


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 8, 16, 32, 33, 64])
@pytest.mark.parametrize(("height", "width"), [(6, 2), (6, 14), (4, 40), (7, 14), (6, 15), (5, 33)])
def test_sums_of_two_by_two(channels, height, width, compiled):
    """What is left over at the end of an odd side belongs to no window."""
    x = values_below(31, 2, height, width, channels)
    out = np.full((2, height // 2, width // 2, channels), 255, np.uint8)
    loop = jit.compiled(compiled_loops.sum_by_two) if compiled else compiled_loops.sum_by_two
    loop(x.reshape(-1), height, width, channels, out.reshape(-1), 0, 2)
    even = x[:, : height // 2 * 2, : width // 2 * 2].reshape(2, height // 2, 2, width // 2, 2, channels)
    assert np.array_equal(out, even.sum(axis=(2, 4)))
