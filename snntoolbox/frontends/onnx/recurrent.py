"""The handler of RNN: a recurrent layer over a whole sequence, in one or both directions and either layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from snntoolbox.frontends.functions import FUNCTIONS, Function, elu, hard_sigmoid, leaky_relu
from snntoolbox.frontends.layer_call import MASK, Activation, Operand, Refusal, not_supported
from snntoolbox.frontends.onnx.call import Known, OnnxCall, one_sample
from snntoolbox.frontends.recurrence import Cell, row, rows, stacked, unrolled

_DIRECTIONS: Mapping[str, tuple[bool, ...]] = {
    "forward": (False,),
    "reverse": (True,),
    "bidirectional": (False, True),
}
_TURN = "transpose the data in front of it: its steps are the first axis, the batch the second (layout = 0)"

_FUNCTIONS: Mapping[str, Callable[[float | None, float | None], Function]] = {
    "relu": lambda alpha, beta: FUNCTIONS["relu"],
    "tanh": lambda alpha, beta: FUNCTIONS["tanh"],
    "sigmoid": lambda alpha, beta: FUNCTIONS["sigmoid"],
    "softplus": lambda alpha, beta: FUNCTIONS["softplus"],
    "leakyrelu": lambda alpha, beta: partial(leaky_relu, slope=0.01 if alpha is None else alpha),
    "elu": lambda alpha, beta: partial(elu, alpha=1.0 if alpha is None else alpha),
    "hardsigmoid": lambda alpha, beta: partial(
        hard_sigmoid, slope=0.2 if alpha is None else alpha, shift=0.5 if beta is None else beta
    ),
}
"""The activation functions of RNN by their names in small letters, with their alpha and beta."""


def rnn(call: OnnxCall) -> tuple[Activation, Activation]:
    """All states of a recurrent layer, and the last ones of each direction."""
    place = 0 if call.flag("layout") else 1
    sequence = call.value(0)
    if not isinstance(sequence, Activation):
        raise Refusal("its sequence is a constant")
    if sequence.batch_axis != place:
        raise Refusal(f"its steps lie along axis {1 - place}, where the batch is", hint=_TURN)
    steps = rows(call, sequence.name)
    _check_lengths(call, len(steps))
    ways, ends = [], []
    for number, cell in enumerate(_cells(call)):
        at = call.named(f"{call.name}_backwards" if cell.backwards else call.name)
        states = unrolled(at, steps, cell, _start(call, number, place))
        ends.append(states[0] if cell.backwards else states[-1])
        ways.append(states)
    both = [stacked(call, states) for states in zip(*ways, strict=True)]
    return Activation(stacked(call, both), place and 2), Activation(stacked(call, ends), place)


def _cells(call: OnnxCall) -> list[Cell]:
    """The cell of each direction."""
    direction = call.attribute("direction", "forward")
    if direction not in _DIRECTIONS:
        raise Refusal(f"direction = '{direction}' is not known")
    if "clip" in call.attributes:
        raise Refusal("clips what its cells compute (clip)")
    ways = _DIRECTIONS[direction]
    weight, back = call.constant(1, "W"), call.constant(2, "R")
    bias = call.optional(3, "B")
    if any(a.ndim != 3 or len(a) != len(ways) for a in (weight, back)) or (bias is not None and bias.ndim != 2):
        raise Refusal(f"its weights of shapes {weight.shape} and {back.shape} are not those of {len(ways)} directions")
    cells = []
    for number, (backwards, function) in enumerate(zip(ways, _functions(call, len(ways)), strict=True)):
        both = None if bias is None else bias[number].reshape(2, -1).sum(0)
        cells.append(Cell(weight[number], back[number], both, function, backwards))
    return cells


def _functions(call: OnnxCall, count: int) -> list[Function]:
    """The activation of each direction; alphas and betas are listed for those functions alone that have one."""
    names = [n.decode() if isinstance(n, bytes) else str(n) for n in call.attribute("activations", None) or ()]
    names = names or ["Tanh"] * count
    if len(names) != count:
        raise Refusal(f"{len(names)} activations for {count} directions")
    alphas, betas = (iter(call.attribute(f"activation_{n}", None) or ()) for n in ("alpha", "beta"))
    functions = []
    for name in names:
        key = name.lower()
        if key not in _FUNCTIONS:
            raise Refusal(f"activation '{name}' is not supported")
        alpha = next(alphas, None) if key in ("leakyrelu", "elu", "hardsigmoid") else None
        functions.append(_FUNCTIONS[key](alpha, next(betas, None) if key == "hardsigmoid" else None))
    return functions


def _check_lengths(call: OnnxCall, steps: int) -> None:
    """Refuse sequences of different lengths."""
    value = call.value(4)
    if value is not None and not (isinstance(value, Known) and np.all(value.first == steps)):
        raise not_supported("Masking", MASK)


def _start(call: OnnxCall, number: int, place: int) -> Operand | None:
    """The initial state of a direction: a row of an array (directions, batch, units), None where it is zero."""
    value = call.value(5)
    if value is None:
        return None
    if isinstance(value, Activation):
        shape = call.shape(value.name)
        if value.batch_axis != place or len(shape) != 2 or number >= shape[0]:
            raise Refusal("its initial state is not of the shape (directions, batch, units)")
        return Activation(row(call, value.name, number))
    if not isinstance(value, Known):
        raise Refusal("its initial state is not known")
    if value.first.ndim != 3 or number >= value.first.shape[1 - place]:
        raise Refusal(f"its initial state has the shape {value.first.shape}")
    states = call.one_sample(value.first if value.fixed else one_sample(value, place), place)
    return states[number] if np.any(states[number]) else None
