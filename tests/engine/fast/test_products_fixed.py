"""First layers in fixed point are rounded as exact sums are, also beside a middle, and off by no more than is said."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from tiled_layers import LAYERS, layer

from snntoolbox.engine.fast import jit, products_fixed, products_fixed_loops
from snntoolbox.engine.fast.bytes_layout import rows
from snntoolbox.engine.fast.products_fixed import Fixed
from snntoolbox.ir.nodes import Dense

NUMBA = pytest.mark.skipif(not jit.installed(), reason="needs numba")
SLACK = 1e-12


@pytest.fixture(params=["plain", pytest.param("compiled", marks=NUMBA)])
def way(request, monkeypatch):
    """Loops as plain Python or compiled."""
    if request.param == "plain":
        monkeypatch.setattr(products_fixed, "compiled", lambda loop: loop)


def in_rows(values):
    return rows(torch.from_numpy(values)).numpy()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.one_in(2)
def test_sums_are_rounded_as_in_float64(name):
    node, shape = layer(name, whole=False)
    x = np.random.default_rng(3).normal(size=(20 if name == "dense" else 3, *shape)).astype(np.float32)
    found, doubtful = Fixed(node, shape, SLACK)(x, float(np.abs(x).max()))
    assert np.array_equal(found.numpy(), in_rows(np.rint(node.linear(x.astype(np.float64)))))
    assert not doubtful.any()


def exactly(weight, x):
    """The sums of a dense layer without any rounding, (samples, filters)."""
    factors = [[Fraction(float(w)) for w in row] for row in weight]
    return [[sum((w * Fraction(float(v)) for w, v in zip(row, one, strict=True)), Fraction()) for row in factors]
            for one in x]  # fmt: skip


def beside_middles(inputs, apart):
    """A dense layer and a sample, with sums as far from a middle as said, one for each filter, and the rounded ones.

    The last input is 1, and its weight makes up for what is missing.
    """
    random = np.random.default_rng(inputs)
    weight, x = 40 * random.normal(size=(len(apart), inputs)), random.random((1, inputs)).astype(np.float32)
    x[0, :7] = 1e-40, 2e-45, 3e-38, 1e-30, 1e-7, 0, 1  # below and near the smallest normal number, too
    x[0, -1], weight[:, -1] = 1, 0
    middles = random.integers(-500, 500, len(apart)) + 0.5
    for row, middle, by in zip(weight, middles, apart, strict=True):
        for _ in range(2):  # what the first rounding of the last weight leaves
            ((total,),) = exactly([row], x)
            row[-1] += float(Fraction(float(middle)) + Fraction(float(by)) - total)
    wanted = [[float(round(total)) for total in sums] for sums in exactly(weight, x)]
    return Dense(name="n", inputs=("x",), weight=weight), x, np.array(wanted)


APART = np.concatenate([sign * 2.0 ** np.arange(-30.0, -1) for sign in (1, -1)])


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("inputs", [8, 31, 200])
def test_sums_beside_a_middle_are_summed_again(inputs, monkeypatch):
    node, x, wanted = beside_middles(inputs, APART)
    slack = 2.0**-52 * (inputs + 3) * np.abs(node.weight).sum(axis=1).max()
    fixed = Fixed(node, (inputs,), slack)
    found, doubtful = fixed(x, 1.0)
    assert np.array_equal(found.numpy(), wanted)
    assert not doubtful.any()
    blind = fixed.settings(1.0)._replace(least=0, spread=0.0)
    monkeypatch.setattr(fixed, "settings", lambda largest: blind)
    assert not np.array_equal(fixed(x, 1.0)[0].numpy(), wanted)  # else this shows nothing


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", ["plain", "odd sizes", "dense"])
def test_a_sum_on_a_middle_is_left_to_the_reference(name):
    node, shape = layer(name)
    node.weight[:] = 3
    x = np.zeros((3, *shape), np.float32)
    first = (0,) * len(shape)
    x[1][first], x[2][first] = 0.5, 0.25
    found, doubtful = Fixed(node, shape, 1e-9)(x, 0.5)
    assert doubtful.tolist() == [False, True, False]
    assert found[0].abs().max() == 0
    assert found[2].max() == 1


@pytest.mark.parametrize("name", [n for n in LAYERS if n != "dense to one"])
@pytest.mark.parametrize("sign", ["all positive", "mixed", "cancelling"])
@pytest.mark.one_in(4)
def test_no_sum_is_further_off_than_its_error(name, sign, monkeypatch):
    """What float32 makes of it, before anything is summed again."""
    node, shape = layer(name, whole=False)
    x = (1 + np.random.default_rng(1).random((1, *shape))).astype(np.float32)
    if sign != "mixed":
        node.weight[:] = np.abs(node.weight)
    if sign == "cancelling":
        node.weight[:, ::2] *= -1
    wanted, off = in_rows(node.linear(x.astype(np.float64))).reshape(-1), []

    def compare(filters, sums, at, shift, error, share, least, first, out, to, *doubts):
        exact = wanted[to : to + filters] * np.exp2(shift[first : first + filters].astype(float))
        error = np.trunc(error[first : first + filters] * share) + least
        off.append(np.abs(sums[at : at + filters] - exact) / error)
        return 0

    monkeypatch.setattr(products_fixed, "compiled", lambda loop: loop)
    monkeypatch.setattr(products_fixed_loops, "settle", compare)
    Fixed(node, shape, SLACK)(x, float(np.abs(x).max()))
    assert sum(map(len, off)) == len(wanted)
    assert 0 < np.concatenate(off).max() < 1


@pytest.mark.parametrize(
    ("largest", "taken"), [(1, True), (0, False), (2.0**-30, False), (2.0**30, False), (np.inf, False), (np.nan, False)]
)
def test_what_float32_is_too_coarse_for_is_left_to_float64(largest, taken):
    node, shape = layer("dense", whole=False)
    assert (Fixed(node, shape, SLACK).settings(largest) is not None) == taken


def test_a_filter_much_smaller_than_the_others_counts_little():
    node, shape = layer("dense", whole=False)
    node.weight[0] *= 1e-30
    node.weight[1] = 0
    found, doubtful = Fixed(node, shape, SLACK)(np.ones((1, *shape), np.float32), 1.0)
    assert not doubtful.any()
    assert found[0, 0] == found[0, 1] == 0


@NUMBA
@pytest.mark.parametrize(("features", "places"), [("+avx2,+fma", 4), ("+avx2,+avx512f", 8), ("", 4)])
def test_tiles_are_as_large_as_the_registers(features, places, monkeypatch):
    import numba

    from snntoolbox.engine.fast.products_fixed_intrinsics import _most_places

    monkeypatch.setattr(numba.config, "CPU_FEATURES", features)
    assert _most_places()() == places


def multiplied(function):
    """Every size of tile, with short sums of all sizes, beside what they are in whole numbers."""
    random = np.random.default_rng(0)
    found, wanted = [], []
    for number in range(1, 20):
        for lines, groups in ((1, 20), (3, 3), (2, 5)):
            sizes = number * 5 + 80, lines * groups * 48
            values, weight = (random.integers(-9, 9, n).astype(np.float32) for n in sizes)
            out = np.zeros(number * 48, np.int32)
            function(number, values, 0, 5, lines, 30, groups, *products_fixed_loops.blocks(lines, groups), weight, 48,
                     out, 0)  # fmt: skip
            windows = [[values[p * 5 + r * 30 :][:groups] for r in range(lines)] for p in range(number)]
            wanted.append(np.einsum("prg,rgw->pw", windows, weight.reshape(lines, groups, 48)).reshape(-1))
            found.append(out)
    return np.concatenate(found), np.concatenate(wanted)


@NUMBA
@pytest.mark.long
def test_every_size_of_tile():
    found, wanted = multiplied(jit.compiled(products_fixed_loops.sum_places))
    assert np.array_equal(found, wanted)
