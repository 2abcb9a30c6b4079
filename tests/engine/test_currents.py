"""Constant currents on the grid are the reference's, also where float32 and float64 stand in the middle."""

import numpy as np
import pytest
import torch

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.engine.currents import GridCurrents
from snntoolbox.engine.fast import jit
from snntoolbox.engine.fast.products_fixed import Fixed
from snntoolbox.engine.tensors import plain_arithmetic
from snntoolbox.ir.interpreter import constant_currents

COMPILED = [False, pytest.param(True, marks=pytest.mark.skipif(not jit.installed(), reason="needs numba"))]
RANDOM = np.random.default_rng(5)

# shape of a sample, kernel, padding, and what else a convolution has
CONVOLUTIONS = {
    "plain": ((3, 12, 14), (3, 3), ((1, 1), (1, 1)), {}),
    "uneven, strided": ((2, 9, 8), (3, 2), ((0, 1), (2, 1)), {"stride": 2}),
    "dilated": ((2, 9, 8), (3, 3), ((2, 2), (2, 2)), {"dilation": 2}),
    "groups": ((4, 6, 6), (3, 3), ((1, 1), (1, 1)), {"groups": 2}),
    "one axis": ((2, 300), (3,), ((1, 0),), {}),
}


def network(name):
    shape, kernel, padding, other = CONVOLUTIONS[name]
    draft = Draft(exact=False)
    cells = draft.neurons(draft.conv(draft.input(*shape), 20, kernel, padding, **other))
    draft.readout(draft.dense(draft.flat(cells), 3))
    return Quantize(8)(draft.network()), shape


def with_middles(network, x):
    """The network with weights of its first layer that are whole: sums of halves then lie in the middle."""
    node = network.wiring.nodes[next(iter(network.targets.values()))]
    node.weight[:] = np.rint(node.weight)
    return network, np.rint(2 * x) / 2


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("middles", [False, True])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_currents_are_the_references(name, kind, middles, compiled):
    built, shape = network(name)
    x = RANDOM.normal(size=(7, *shape)).astype(kind)
    if middles:
        built, x = with_middles(built, x)
    wanted = constant_currents(built, x)
    with plain_arithmetic():
        found = GridCurrents(built)(x, fused=compiled)
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[n].double().numpy(), wanted[n]) for n in wanted)


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("middles", [False, True])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(30,), (3, 4, 5)])
def test_currents_of_dense_layers(shape, kind, middles, compiled):
    draft = Draft(exact=False)
    given = draft.input(*shape)
    cells = draft.neurons(draft.dense(given if len(shape) == 1 else draft.flat(given), 21))
    draft.readout(draft.dense(cells, 3))
    built, x = Quantize(8)(draft.network()), RANDOM.normal(size=(13, *shape)).astype(kind)
    if middles:
        built, x = with_middles(built, x)
    (wanted,) = constant_currents(built, x).values()
    currents = GridCurrents(built)
    with plain_arithmetic():
        (found,) = currents(x, fused=compiled).values()
    assert np.array_equal(found.double().numpy(), wanted)
    (product,) = currents.products.values()
    assert product is not None
    assert product.loops  # else this shows nothing


@pytest.mark.skipif(not jit.installed(), reason="needs numba")
@pytest.mark.parametrize(("scale", "wide"), [(1, False), (1e6, True)])
def test_sums_that_float32_cannot_hold_are_float64(scale, wide):
    built, shape = network("plain")
    x = scale * RANDOM.random(size=(3, *shape))
    (found,) = GridCurrents(built)(x, fused=True).values()
    assert found.dtype == (torch.float64 if wide else torch.float32)
    (wanted,) = constant_currents(built, x).values()
    assert np.array_equal(found.double().numpy(), wanted)


def test_a_number_that_is_none_goes_to_the_reference():
    built, shape = network("plain")
    x = np.zeros((3, *shape))
    x[1, 0, 4, 4] = np.nan
    with plain_arithmetic():
        (found,) = GridCurrents(built)(x).values()
    (wanted,) = constant_currents(built, x).values()
    assert np.array_equal(found.numpy(), wanted, equal_nan=True)


@pytest.mark.skipif(not jit.installed(), reason="needs numba")
@pytest.mark.parametrize("kind", ["single", "whole", "double", "large", "small", "none"])
def test_fixed_point_is_taken_where_float32_has_the_inputs(kind, monkeypatch):
    """And gives the reference's currents; what float32 does not have is computed in float64."""
    built, shape = network("plain")
    x = RANDOM.random(size=(3, *shape)).astype(np.float32)
    wide = x.astype(np.float64)
    given = {"single": wide, "whole": np.rint(9 * x).astype(np.uint8), "double": wide + 1e-12}
    given |= {"large": wide * 1e200, "small": wide * 1e-200, "none": np.where(x > 0.9, np.nan, x)}
    x, taken = given[kind], []
    monkeypatch.setattr(Fixed, "__call__", spied(Fixed.__call__, taken))
    with np.errstate(over="raise"), plain_arithmetic():
        (found,) = GridCurrents(built)(x, fused=True).values()
    (wanted,) = constant_currents(built, x).values()
    assert np.array_equal(found.double().numpy(), wanted, equal_nan=True)
    assert any(taken) == (kind in ("single", "whole"))


def spied(function, taken):
    """The function, which notes whether it gave anything."""

    def call(*arguments):
        found = function(*arguments)
        taken.append(found is not None)
        return found

    return call
