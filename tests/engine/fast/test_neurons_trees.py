"""All neurons of the windows of max pooling in one pass, against each population's own current step by step."""

import numpy as np
import pytest
import torch

from snntoolbox.engine.counts import Counts
from snntoolbox.engine.fast import jit, neurons_trees
from snntoolbox.engine.fast.events_joined import Joined, Term
from snntoolbox.engine.fast.neurons_firing import Firing
from snntoolbox.engine.tensors import Target
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Take

COMPILED = pytest.param("compiled", marks=pytest.mark.skipif(not jit.installed(), reason="needs numba"))
BATCH, STEPS = 2, 11


@pytest.fixture(params=["plain", COMPILED])
def way(request, monkeypatch):
    """Loops as plain Python or compiled."""
    if request.param == "plain":
        monkeypatch.setattr(neurons_trees, "compiled", lambda loop: loop)


def every(axis, first, size, *, step=2):
    return Take(name="t", inputs=("x",), axis=axis, indices=tuple(range(first, size - 1 + first, step)))


def pooled(channels, height, width, *, mixed=False, factor=1.0):
    """2 x 2 windows of a train as the conversion writes them: max(a, b) = b + larger(a, b), along rows first."""
    random = np.random.default_rng(channels)
    rows, columns = height // 2, width // 2
    shapes = {"s": (channels, height, width), "a": (channels, height, columns), "b": (channels, rows, columns)}

    def gain(name, sign):
        each = random.integers(100, 128, (channels, 1, 1)) * sign * factor
        return np.broadcast_to(each, shapes[name]).copy()

    even, odd, top, low = every(2, 0, width), every(2, 1, width), every(1, 0, height), every(1, 1, height)
    terms = {"a": [Term("s", gain("a", 1), (even,)), Term("s", gain("a", -1), (odd,))]}
    taps = [Term("s", gain("b", 1), (odd, top)), Term("s", gain("b", -1), (odd, low))]
    larger = [Term("a", gain("b", 1), (top,)), Term("a", gain("b", -1), (low,))]
    terms["b"] = [taps[0], larger[0], taps[1], larger[1]] if mixed else taps + larger
    joined = {n: Joined(some, {}, shapes, lambda *_: None) for n, some in terms.items()}
    return joined, shapes


def neurons(joined, shapes, reset=Reset.SUBTRACT, factor=1.0, window=None):
    random, found = np.random.default_rng(1), {}
    for name in joined:
        threshold = random.integers(90, 180, shapes[name]) * factor
        cell = IF(threshold=threshold, reset=reset, initial=30 * factor, window=window)
        bias = random.integers(-4, 9, shapes[name]) * factor
        found[name] = Population(
            name=name, shape=shapes[name], neuron=cell, current="n", scale=np.ones(1), activation="p", bias=bias
        )
    return found


def train(shape, units, most):
    inside = np.random.default_rng(3).integers(0, most + 1, (units, *shape[1:], shape[0])).astype(np.uint8)
    return torch.from_numpy(inside).movedim(-1, 1)


def found_trees(joined, shapes, peak=1):
    return neurons_trees.trees(["s", *joined], joined, shapes, {"s": peak})


CASES = [
    ((16, 4, 6), False, 1.0, "int16"),
    ((3, 5, 4), True, 1.0, "int16"),
    ((50, 3, 2), False, 1.0, "int16"),
    pytest.param((32, 2, 4), True, 0.25, "float32", marks=pytest.mark.long),
]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("shape", "mixed", "factor", "kind"), CASES)
def test_windows_fire_like_their_populations(shape, mixed, factor, kind):
    """Odd rows have no window of four, so their neurons are one of two; gains that are not whole stay floating."""
    joined, shapes = pooled(*shape, mixed=mixed, factor=factor)
    cells = neurons(joined, shapes, factor=factor)
    (tree,) = found_trees(joined, shapes)
    assert len(tree.parts) == 1 + shape[1] % 2
    states = [Firing(cells[n], BATCH, torch.float32, fused=True).restart(None) for n in joined]
    wanted = {n: Firing(cells[n], BATCH, torch.float32, fused=False).restart(None) for n in joined}
    for _ in range(2):  # the next steps go on from there
        values = {"s": train(shapes["s"], BATCH * STEPS, 1)}
        sent = tree.fire(values["s"], states, STEPS, 2 * STEPS)
        for name, state in zip(joined, states, strict=True):
            current = joined[name].current(values, torch.float64)
            values[name] = wanted[name].advance(current, STEPS, None)
            assert torch.equal(sent[name], values[name])
            assert values[name].any()
            assert torch.equal(state.potential, wanted[name].potential)
            assert torch.equal(state.counts, wanted[name].counts)
    assert tree.made.keys() == {kind}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("shape", "mixed"), [((16, 4, 6), True), ((19, 3, 4), False)])
@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.long)])
def test_windows_count_like_their_populations(shape, mixed, dtype):
    joined, shapes = pooled(*shape, mixed=mixed)
    total = 15
    cells = neurons(joined, shapes, window=(0, total))
    (tree,) = found_trees(joined, shapes, total)
    target = Target(torch.device("cpu"), dtype)
    makers = [Counts(cells[n], target, small=True, fused=True) for n in joined]
    values = {"s": train(shapes["s"], BATCH, total)}
    starts = [maker.begin(None, 1.0) for maker in makers]
    sent = tree.count(values["s"], makers, starts)
    for name in joined:
        plain = Counts(cells[name], target, small=True, fused=False)
        current = joined[name].current(values, torch.float64)
        values[name] = plain.made(current, 1.0, plain.begin(None, 1.0))
        assert torch.equal(sent[name], values[name])
        assert len(values[name].unique()) > 5
    drive = torch.ones((BATCH, *shapes["a"]))
    assert tree.count(values["s"], makers, [makers[0].begin(drive, 1.0), starts[1]]) is None
    longer = Counts(neurons(joined, shapes, window=(0, 31))["a"], target, small=True, fused=True)
    assert tree.count(values["s"], [longer, *makers[1:]], starts) is None


def test_sums_of_16_bits_are_for_runs_that_stay_within_them():
    joined, shapes = pooled(16, 2, 2)
    cells = neurons(joined, shapes)
    (tree,) = found_trees(joined, shapes)
    states = [Firing(cells[n], BATCH, torch.float32, fused=True).restart(None) for n in joined]
    most = next(steps for steps in range(1, 999) if tree._kind(states, steps) != "int16")
    reach = sum(np.abs(term.gain).max() for term in joined["b"].points)
    assert 0.8 * 2**15 < most * reach < 1.2 * 2**15


def test_neurons_reset_to_a_value_are_left_to_their_populations():
    joined, shapes = pooled(16, 2, 2)
    cells = neurons(joined, shapes, Reset.ZERO)
    (tree,) = found_trees(joined, shapes)
    states = [Firing(cells[n], BATCH, torch.float32, fused=True).restart(None) for n in joined]
    assert tree.fire(train(shapes["s"], BATCH, 1), states, 1, 1) is None


def test_windows_that_overlap_make_no_tree():
    joined, shapes = pooled(4, 4, 4)
    shapes["b"] = (4, 3, 2)
    gain = np.ones(shapes["b"])
    near, far = every(1, 0, 4, step=1), every(1, 1, 4, step=1)
    terms = [Term("a", gain, (near,)), Term("a", -gain, (far,))]
    joined["b"] = Joined(terms, {}, shapes, lambda *_: None)
    assert found_trees(joined, shapes) == []
