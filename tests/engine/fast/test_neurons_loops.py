"""Neurons that single bytes reach, alone and behind every kind of product, against their current step by step."""

import numpy as np
import pytest
import torch

from snntoolbox.engine.fast import events_products, jit, neurons_firing, products_tiled
from snntoolbox.engine.fast.bytes_maps import Form
from snntoolbox.engine.fast.events_joined import Joined, Term
from snntoolbox.engine.fast.events_products import EventProduct
from snntoolbox.engine.fast.neurons_firing import Firing
from snntoolbox.engine.fast.products_tiled import Tiles
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Conv, Dense, Pad, Take

NUMBA = pytest.mark.skipif(not jit.installed(), reason="needs numba")
BATCH = 2


@pytest.fixture(params=["plain", pytest.param("compiled", marks=NUMBA)])
def way(request, monkeypatch):
    """Loops as plain Python or compiled, whatever the processor has."""
    if request.param == "plain":
        for module in (neurons_firing, events_products, products_tiled):
            monkeypatch.setattr(module, "compiled", lambda loop: loop)
        monkeypatch.setattr("snntoolbox.engine.fast.events_spread.compiled", lambda loop: loop)
    monkeypatch.setattr(products_tiled, "works", lambda: True)


def neurons(shape, reset, dtype, *, fused=True):
    random = np.random.default_rng(1)
    neuron = IF(threshold=random.integers(200, 900, shape).astype(float), reset=reset, initial=0.0)
    bias = random.integers(-20, 40, shape).astype(float)
    cells = Population(name="p", shape=shape, neuron=neuron, current="n", scale=np.ones(1), activation="p", bias=bias)
    return Firing(cells, BATCH, dtype, fused=fused).restart(None)


def points(shape, number):
    """Terms of so many sources: as they are, every other column, below a row of zeros, and the first again."""
    random, (channels, height, width) = np.random.default_rng(number), shape
    sources = {"a": shape, "b": (channels, height, 2 * width), "c": (channels, height - 1, width)}
    every = Take(name="t", inputs=("b",), axis=2, indices=tuple(range(0, 2 * width, 2)))
    below = Pad(name="s", inputs=("c",), pads=((0, 0), (1, 0), (0, 0)))
    moves = {"a": (), "b": (every,), "c": (below,)}
    found = [Term(n, random.integers(-200, 300, shape).astype(float), moves[n]) for n in "abca"[:number]]
    return found, {n: sources[n] for n in "abc"[:number]}


def laid_out(sources, steps):
    random = np.random.default_rng(3)
    found = {}
    for name, (channels, *space) in sources.items():
        inside = random.integers(0, 2, (steps * BATCH, *space, channels)).astype(np.uint8)
        found[name] = torch.from_numpy(inside).movedim(-1, 1)
    return found


def assert_fires_like(joined, values, shape, steps, reset, dtype):
    """Spikes, counts and potentials are those of the same current in torch, step by step."""
    found, expected = neurons(shape, reset, dtype), neurons(shape, reset, dtype, fused=False)
    spikes = joined.fire(values, found, steps)
    wanted = expected.advance(joined.current(values, torch.float64), steps, None)
    assert torch.equal(spikes, wanted)
    assert wanted.any()
    assert torch.equal(found.potential, expected.potential)
    assert torch.equal(found.counts, expected.counts)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("shape", [(16, 3, 3), (3, 2, 2), (23, 2, 3), (80, 2, 1)])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize(("reset", "dtype"), [(Reset.SUBTRACT, torch.float32), (Reset.ZERO, torch.float64)])
def test_bytes_times_gains_reach_their_neurons(shape, number, reset, dtype):
    terms, sources = points(shape, number)
    joined = Joined(terms, {}, sources, lambda *_: None)
    assert_fires_like(joined, laid_out(sources, 11), shape, 11, reset, dtype)


def product(kind, filters):
    """A layer on (16, 4, 5) or its 320 values, as an `EventProduct` that takes one way alone, and what it reads."""
    shape = (320,) if kind.startswith("dense") else (16, 4, 5)
    random = np.random.default_rng(filters)
    if len(shape) == 1:
        node = Dense(name="n", inputs=("x",), weight=random.integers(-9, 10, (filters, 320)) * 1.0)
    else:
        stride = (2, 2) if "strided" in kind else (1, 1)
        weight = random.integers(-9, 10, (filters, 16, 3, 3)) * 1.0
        pads = ((1, 1), (1, 1))
        node = Conv(name="n", inputs=("x",), weight=weight, padding=pads, stride=stride, dilation=(1, 1), groups=1)

    def dense(x):
        return torch.from_numpy(node.linear(x.numpy().astype(float)))

    events = not ("tiles" in kind or "product" in kind)
    found = EventProduct(node, node.weight, shape, Form(1), dense, always=events, whole=True)
    if not events:
        found.sparse = found.fired = 0.0
    found.tiles = Tiles.of(node, node.weight, shape, 1) if "tiles" in kind else None
    return node, shape, found


KINDS = ["spread", "strided events", "dense events", "tiles", "strided tiles", "dense tiles", "product"]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("filters", [16, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_they_reach_neurons_behind_products(kind, filters, monkeypatch):
    monkeypatch.setattr(events_products, "CURRENT_BYTES", 2000)  # a few steps at a time
    node, shape, layer = product(kind, filters)
    out = node.output_shape(shape)
    three = out if len(out) == 3 else (out[0], 1, 1)
    terms = [Term("a", t.gain.reshape(out)) for t in points(three, 4)[0] if not t.moves][:2]
    weighted = Term("x", np.ones(shape), (), node, node.weight)
    joined = Joined([weighted, *terms], {"x": Form(1)}, {"x": shape, "a": out}, lambda *_: layer)
    values = {"x": torch.from_numpy(np.random.default_rng(5).integers(0, 2, (22, *shape)).astype(np.uint8))}
    values["a"] = laid_out({"a": out}, 11)["a"]
    assert (layer.spread is not None) == (kind in ("spread", "tiles", "product"))
    assert_fires_like(joined, values, out, 11, Reset.SUBTRACT, torch.float32)


def test_a_single_train_is_read_where_it_lies():
    node, shape, layer = product("product", 16)
    joined = Joined([Term("x", np.ones(shape), (), node, node.weight)], {"x": Form(1)}, {"x": shape}, lambda *_: layer)
    x = torch.zeros((2, *shape), dtype=torch.uint8)
    assert joined._bytes({"x": x}) is x


@pytest.mark.parametrize(("units", "size"), [(1, 10), (7, 50_000), (1001, 3000), (40_000, 30)])
def test_events_of_some_units_stand_for_all(units, size):
    """All of few bytes; of many some of every part of the steps, whatever the batch."""
    x = np.zeros((units, size), np.uint8)
    x[:, : size // 5] = 3
    assert events_products.share_of_events(x) == pytest.approx(0.2)
    x[: units // 2] = 0
    assert events_products.share_of_events(x) == pytest.approx(0.2 * (units - units // 2) / units, abs=0.01)
    assert events_products.share_of_events(x[:0]) == 0
