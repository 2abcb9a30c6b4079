"""Cells with gates by their formulas, written out over a sequence; the frontends compare them with their frameworks."""

import numpy as np
import pytest
from layer_calls import call_on, computed, samples

from snntoolbox.frontends.cells import GRUCell, LSTMCell
from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.recurrence import rows, stacked, unrolled

RNG = np.random.default_rng(0)
UNITS, STEPS = 3, 4


def drawn(gates, outputs=UNITS):
    """Random weights of a cell that reads two features."""
    return {
        "weight": RNG.normal(size=(gates * UNITS, 2)),
        "recurrent": RNG.normal(size=(gates * UNITS, outputs)),
        "bias": RNG.normal(size=gates * UNITS),
    }


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def currents(cell, x, h):
    return np.split(x @ cell.weight.T + h @ cell.recurrent.T + cell.bias, cell.gates, 1)


def lstm(cell, x, states):
    h, c = states
    i, f, g, o = currents(cell, x, h)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return h if cell.projection is None else h @ cell.projection.T, c


def gru(cell, x, states):
    (h,) = states
    z, r, _ = map(sigmoid, currents(cell, x, h))
    own = np.split(x @ cell.weight.T + cell.bias, 3, 1)[2]
    back = cell.recurrent[2 * UNITS :].T
    read = (r * h) @ back if cell.reset_first else r * (h @ back + cell.reset_bias)
    return ((1 - z) * np.tanh(own + read) + z * h,)


CELLS = {
    "lstm": (LSTMCell(**drawn(4)), lstm),
    "lstm_backwards": (LSTMCell(**drawn(4), backwards=True), lstm),
    "lstm_projected": (LSTMCell(**drawn(4, 2), projection=RNG.normal(size=(2, UNITS))), lstm),
    "gru": (GRUCell(**drawn(3), reset_bias=RNG.normal(size=UNITS)), gru),
    "gru_reset_first": (GRUCell(**drawn(3), reset_first=True), gru),
}


@pytest.mark.parametrize("start", ["zero", "constant", "given"])
@pytest.mark.parametrize("case", CELLS)
def test_states(case, start):
    cell, formula = CELLS[case]
    sizes = [(size,) for size in cell.states] if start == "given" else []
    call, (x, *given) = call_on((STEPS, 2), *sizes), samples((STEPS, 2), *sizes)
    constants = [np.linspace(-1, 1, size) for size in cell.states]
    starts = {"zero": (), "constant": constants, "given": [Activation(s) for s in call.sources[1:]]}[start]
    outputs, ends = unrolled(call, rows(call, "x0"), cell, starts)
    states = given or [np.tile(c, (len(x), 1)) * (start == "constant") for c in constants]
    expected = np.zeros((len(x), STEPS, cell.states[0]))
    for t in reversed(range(STEPS)) if cell.backwards else range(STEPS):
        states = formula(cell, x[:, t], states)
        expected[:, t] = states[0]
    np.testing.assert_allclose(computed(call, stacked(call, outputs), x, *given), expected, atol=1e-12)
    for end, state in zip(ends, states, strict=True):
        np.testing.assert_allclose(computed(call, end, x, *given), state, atol=1e-12)


def test_what_is_zero_has_no_gate():
    call = call_on((1, 2))
    for cell in (LSTMCell(**drawn(4)), GRUCell(**drawn(3)), GRUCell(**drawn(3), reset_first=True)):
        unrolled(call, rows(call, "x0"), cell, [np.zeros(UNITS)] * len(cell.states))
    graph = call.builder.finish(["it_step_0", "it_step_0_2", "it_step_0_3"], "net")
    assert not [name for name in graph.nodes if "forget" in name or "reset" in name or "kept" in name]


FAULTY = {
    "a state of another size": ([Activation("x1"), None], "does not fit 3 units"),
    "a constant of another size": ([None, np.ones(2)], "does not fit 3 units"),
    "too few": ([None], "1 initial states are given for 2"),
}


@pytest.mark.parametrize("case", FAULTY)
def test_states_that_do_not_fit(case):
    states, reason = FAULTY[case]
    call = call_on((STEPS, 2), (2,))
    with pytest.raises(Refusal, match=reason):
        unrolled(call, rows(call, "x0"), LSTMCell(**drawn(4)), states)
