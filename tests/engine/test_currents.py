"""Constant currents on the grid are the reference's, also where float32 and float64 stand in the middle."""

import numpy as np
import pytest

from snntoolbox.conformance.draft import Draft
from snntoolbox.engine import currents
from snntoolbox.engine.currents import GridCurrents
from snntoolbox.engine.fast import jit
from snntoolbox.engine.tensors import plain_arithmetic
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.passes.quantize import Quantize

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
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_currents_are_the_references(name, middles, compiled):
    built, shape = network(name)
    x = RANDOM.normal(size=(7, *shape))
    if middles:
        built, x = with_middles(built, x)
    wanted = constant_currents(built, x)
    with plain_arithmetic():
        found = GridCurrents(built)(x, fused=compiled)
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[n].double().numpy(), wanted[n]) for n in wanted)


@pytest.mark.skipif(not jit.installed(), reason="needs numba")
def test_what_float32_cannot_tell_is_computed_again(monkeypatch):
    built, shape = network("plain")
    x = np.random.default_rng(1).random((40, *shape)).astype(np.float32)
    wanted = constant_currents(built, x)
    (target,) = wanted
    with plain_arithmetic():
        assert np.array_equal(GridCurrents(built)(x, fused=True)[target].double().numpy(), wanted[target])
        rough = GridCurrents(built)
        product = rough.products[target]
        assert product.slack * 2.0**29 < currents.FEW
        value = rough.short.kernel(product.name)(rough.short.target.tensor(x)).numpy().astype(float)
        near = np.abs(np.abs(value - np.rint(value)) - 0.5) < product.slack * 2.0**29
        assert near.any()  # else this shows nothing


def test_a_number_that_is_none_goes_to_the_reference():
    built, shape = network("plain")
    x = np.zeros((3, *shape))
    x[1, 0, 4, 4] = np.nan
    with plain_arithmetic():
        (found,) = GridCurrents(built)(x).values()
    (wanted,) = constant_currents(built, x).values()
    assert np.array_equal(found.numpy(), wanted, equal_nan=True)
