"""The handler of RNN, LSTM and GRU: a layer over a whole sequence, in one or both directions and either layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from snntoolbox.frontends.cells import Cell, GRUCell, LSTMCell, SimpleCell, State
from snntoolbox.frontends.functions import FUNCTIONS, Function, elu, hard_sigmoid, leaky_relu
from snntoolbox.frontends.layer_call import MASK, Activation, Refusal, not_supported
from snntoolbox.frontends.onnx.call import Known, OnnxCall, one_sample
from snntoolbox.frontends.recurrence import row, rows, stacked, unrolled
from snntoolbox.ir.node import Array

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
"""The activation functions of cells by their names in small letters, with their alpha and beta."""


@dataclass(frozen=True)
class _Operator:
    """What an operator has: gates, functions of each direction by default, and where its initial states lie."""

    gates: int
    functions: tuple[str, ...]
    states: tuple[int, ...] = (5,)


_OPERATORS: Mapping[str, _Operator] = {
    "RNN": _Operator(1, ("Tanh",)),
    "LSTM": _Operator(4, ("Sigmoid", "Tanh", "Tanh"), (5, 6)),
    "GRU": _Operator(3, ("Sigmoid", "Tanh")),
}
_ORDER_OF_LSTM = (0, 2, 3, 1)
"""Where the gates i, f, g, o are: ONNX has i, o, f, c."""


def recurrent(call: OnnxCall) -> tuple[Activation, ...]:
    """What a recurrent layer gives in each step, and the last states of each direction."""
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
        starts = [_start(call, i, number, place) for i in _OPERATORS[call.origin.kind].states]
        outputs, last = unrolled(at, steps, cell, starts)
        ways.append(outputs)
        ends.append(last)
    both = [stacked(call, outputs) for outputs in zip(*ways, strict=True)]
    states = [Activation(stacked(call, states), place) for states in zip(*ends, strict=True)]
    return Activation(stacked(call, both), place and 2), *states


def _cells(call: OnnxCall) -> list[Cell]:
    """The cell of each direction."""
    direction = call.attribute("direction", "forward")
    if direction not in _DIRECTIONS:
        raise Refusal(f"direction = '{direction}' is not known")
    if "clip" in call.attributes:
        raise Refusal("clips what its cells compute (clip)")
    if call.flag("input_forget"):
        raise Refusal("couples its input and forget gates (input_forget)")
    peepholes = call.optional(7, "P")
    if peepholes is not None and np.any(peepholes):
        raise Refusal("its gates see the cell state (peepholes, P)", hint="train it without peepholes")
    ways = _DIRECTIONS[direction]
    weight, back = call.constant(1, "W"), call.constant(2, "R")
    bias = call.optional(3, "B")
    if any(a.ndim != 3 or len(a) != len(ways) for a in (weight, back)) or (bias is not None and bias.ndim != 2):
        raise Refusal(f"its weights of shapes {weight.shape} and {back.shape} are not those of {len(ways)} directions")
    return [
        _cell(call, weight[n], back[n], None if bias is None else bias[n].reshape(2, -1), functions, backwards)
        for n, (backwards, functions) in enumerate(zip(ways, _functions(call, len(ways)), strict=True))
    ]


def _cell(
    call: OnnxCall, weight: Array, back: Array, bias: Array | None, functions: Sequence[Function], backwards: bool
) -> Cell:
    """The cell of one direction; `bias` (2, gates * units) is that of the input and that of the recurrence."""
    kind, both = call.origin.kind, None if bias is None else bias.sum(0)
    if kind == "RNN":
        (f,) = functions
        return SimpleCell(weight=weight, recurrent=back, bias=both, backwards=backwards, activation=f)
    if kind == "LSTM":
        f, g, h = functions
        weight, back = _reordered(weight, _ORDER_OF_LSTM), _reordered(back, _ORDER_OF_LSTM)
        both = None if both is None else _reordered(both, _ORDER_OF_LSTM)
        return LSTMCell(
            weight=weight, recurrent=back, bias=both, backwards=backwards, gate=f, activation=g, output=h
        )
    f, g = functions
    reset_first, reset = not call.flag("linear_before_reset"), None
    if bias is not None and both is not None and not reset_first:
        units = len(both) // 3
        both, reset = np.concatenate([both[: 2 * units], bias[0, 2 * units :]]), bias[1, 2 * units :]
    return GRUCell(
        weight=weight, recurrent=back, bias=both, backwards=backwards, gate=f, activation=g,
        reset_bias=reset, reset_first=reset_first,
    )  # fmt: skip


def _reordered(array: Array, order: Sequence[int]) -> Array:
    """An array whose first axis has the gates behind one another, with these in another order."""
    if len(array) % len(order):
        raise Refusal(f"its weights of {len(array)} rows are not those of {len(order)} gates")
    return np.concatenate([np.split(array, len(order))[i] for i in order])


def _functions(call: OnnxCall, ways: int) -> list[list[Function]]:
    """The activations of each direction; alphas and betas are listed for those functions alone that have one."""
    each = _OPERATORS[call.origin.kind].functions
    names = [n.decode() if isinstance(n, bytes) else str(n) for n in call.attribute("activations", None) or ()]
    names = names or list(each) * ways
    if len(names) != ways * len(each):
        raise Refusal(f"{len(names)} activations for {ways} directions" + (f" of {len(each)}" if len(each) > 1 else ""))
    alphas, betas = (iter(call.attribute(f"activation_{n}", None) or ()) for n in ("alpha", "beta"))
    functions = []
    for name in names:
        key = name.lower()
        if key not in _FUNCTIONS:
            raise Refusal(f"activation '{name}' is not supported")
        alpha = next(alphas, None) if key in ("leakyrelu", "elu", "hardsigmoid") else None
        functions.append(_FUNCTIONS[key](alpha, next(betas, None) if key == "hardsigmoid" else None))
    return [functions[i : i + len(each)] for i in range(0, len(functions), len(each))]


def _check_lengths(call: OnnxCall, steps: int) -> None:
    """Refuse sequences of different lengths."""
    value = call.value(4)
    if value is not None and not (isinstance(value, Known) and np.all(value.first == steps)):
        raise not_supported("Masking", MASK)


def _start(call: OnnxCall, i: int, number: int, place: int) -> State:
    """The initial state in input i of a direction: a row of an array (directions, batch, units)."""
    value = call.value(i)
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
    state: Array = states[number]
    return state
