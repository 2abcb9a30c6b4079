"""Handlers of recurrent layers and cells: whole sequences, in either layout, and single steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from snntoolbox.frontends.cells import Cell, GRUCell, LSTMCell, SimpleCell
from snntoolbox.frontends.functions import FUNCTIONS
from snntoolbox.frontends.layer_call import MASK, Activation, Operand, Refusal, not_supported
from snntoolbox.frontends.pytorch.call import EVALUATE, TorchCall
from snntoolbox.frontends.recurrence import row, rows, stacked, unrolled
from snntoolbox.ir.node import Array

LAYERS = ("rnn_relu", "rnn_tanh", "lstm", "gru")
"""Whole layers; each has a cell of its own too."""

_TURN = "build it with batch_first=True, or let forward() turn the data round: x.transpose(0, 1)"


def layer(call: TorchCall) -> list[Activation]:
    """All states of the last layer, and the last state of each, of any number of layers in one or both directions."""
    if "data" in call.args:
        raise not_supported("_pack_padded_sequence", MASK)
    if call.get("train", False) and call.number("dropout", 0.0):
        raise Refusal("in training mode", hint=EVALUATE)
    place = 0 if call.get("batch_first", False) else 1
    sequence = call.args["input"]
    if not isinstance(sequence, Activation):
        raise Refusal("its sequence is a constant")
    if sequence.batch_axis != place:
        order = "first" if place else "second"
        raise Refusal(f"its steps lie along the {order} axis, where the batch is", hint=_TURN)
    steps = rows(call, sequence.name)
    ends: list[tuple[str, ...]] = []
    cells = _cells(call)
    for number, directions in enumerate(cells):
        ways = []
        for cell in directions:
            way = "_backwards" if cell.backwards else ""
            at = call.named(f"{call.name}_layer_{number}{way}" if len(cells) > 1 else f"{call.name}{way}")
            outputs, end = unrolled(at, steps, cell, [_start(call, state, len(ends)) for state in _states(call)])
            ends.append(end)
            ways.append(outputs)
        steps = ways[0] if len(ways) == 1 else [_joined(call, pair) for pair in zip(*ways, strict=True)]
    last = [Activation(stacked(call, states), 1) for states in zip(*ends, strict=True)]
    return [Activation(stacked(call, steps), place), *last]


def _joined(call: TorchCall, pair: Sequence[str]) -> str:
    return call.builder.concat(f"{call.name}_both", pair, 0, call.origin)


def _cells(call: TorchCall) -> list[list[Cell]]:
    """The cells of each layer, one or one per direction."""
    weights = [call.array(p) for p in call.args["params"]]
    biases, both = bool(call.args.get("has_biases")), bool(call.args.get("bidirectional"))
    layers, directions = int(call.args["num_layers"]), 2 if both else 1
    each, rest = divmod(len(weights), max(layers, 1) * directions)
    plain = 4 if biases else 2
    if layers < 1 or rest or each not in (plain, plain + (call.op == "lstm")):
        raise Refusal(f"{len(weights)} weights for {layers} layers")
    groups = [weights[i : i + each] for i in range(0, len(weights), each)]
    cells = [
        _cell(call.op, g[0], g[1], g[2:plain], projection=g[plain:], backwards=both and i % 2 == 1)
        for i, g in enumerate(groups)
    ]
    return [cells[i : i + directions] for i in range(0, len(cells), directions)]


def _cell(
    op: str, weight: Array, back: Array, biases: Sequence[Array], *, projection: Sequence[Array] = (), backwards: bool
) -> Cell:
    """A cell with weights as torch keeps them: gates i, f, g, o of LSTM, and r, z, n of GRU."""
    if len({b.shape for b in biases}) > 1:
        raise Refusal(f"its biases have the shapes {[b.shape for b in biases]}")
    kind = op.removesuffix("_cell")
    if kind == "lstm":
        bias, projected = _sum(biases), projection[0] if projection else None
        return LSTMCell(weight=weight, recurrent=back, bias=bias, projection=projected, backwards=backwards)
    if kind != "gru":
        function = FUNCTIONS[kind.removeprefix("rnn_")]
        return SimpleCell(weight=weight, recurrent=back, bias=_sum(biases), activation=function, backwards=backwards)
    units = len(weight) // 3
    gates = np.r_[units : 2 * units, :units, 2 * units : 3 * units]
    own, reset = _apart(biases, units) if biases else (None, None)
    bias = None if own is None else own[gates]
    return GRUCell(
        weight=weight[gates], recurrent=back[gates], bias=bias, reset_bias=reset, backwards=backwards
    )


def _apart(biases: Sequence[Array], units: int) -> tuple[Array, Array]:
    """The bias of all gates of GRU, and that within the reset."""
    own, back = biases
    return own + np.r_[back[: 2 * units], np.zeros(units)], back[2 * units :]


def _sum(biases: Sequence[Array]) -> Array | None:
    return sum(biases[1:], biases[0]) if biases else None


def _states(call: TorchCall) -> list[Any]:
    """The initial states as torch gives them: h, or h and c."""
    states = call.args.get("hx")
    return list(states) if isinstance(states, list | tuple) else [] if states is None else [states]


def _start(call: TorchCall, state: Any, number: int) -> Operand:
    """The initial state of this number: one for each layer and direction, with the batch between."""
    if not isinstance(state, Activation):
        states = call.array(state)
        if states.ndim != 3 or number >= len(states):
            raise Refusal(f"its initial state has the shape {states.shape}")
        first: Array = call.one_sample(states, 1)[number]
        return first
    shape = call.shape(state.name)
    if state.batch_axis != 1 or len(shape) != 2 or number >= shape[0]:
        raise Refusal("its initial state is not of the shape (layers, batch, units)")
    return Activation(row(call, state.name, number))


def cell(call: TorchCall) -> Activation | list[Activation]:
    """One step of a cell, with states that are computed or constant."""
    source = call.args["input"]
    if not isinstance(source, Activation):
        raise Refusal("its input is a constant")
    biases = [b for b in (call.constant("b_ih"), call.constant("b_hh")) if b is not None]
    one = _cell(call.op, call.required("w_ih"), call.required("w_hh"), biases, backwards=False)
    starts = [s if isinstance(s, Activation) else call.per_sample(call.array(s), 1) for s in _states(call)]
    at = call.named(_next_step(call))
    ends = [Activation(name) for name in one.step(at, source.name, one.checked(at, source.name, starts))]
    return ends if len(ends) > 1 else ends[0]


def _next_step(call: TorchCall) -> str:
    """A name for this use of the cell, as those of a whole layer are called."""
    stems = (f"{call.name}_step_{number}" for number in count())
    return next(stem for stem in stems if call.builder.fresh(stem) == call.builder.plain(stem))


HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    **dict.fromkeys(LAYERS, layer),
    **dict.fromkeys((f"{name}_cell" for name in LAYERS), cell),
}
