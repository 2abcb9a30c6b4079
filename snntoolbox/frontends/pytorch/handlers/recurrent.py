"""Handlers of recurrent layers and cells: whole sequences, in either layout, and single steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from snntoolbox.frontends.functions import FUNCTIONS
from snntoolbox.frontends.layer_call import MASK, Activation, Operand, Refusal, not_supported
from snntoolbox.frontends.pytorch.call import EVALUATE, TorchCall
from snntoolbox.frontends.recurrence import Cell, row, rows, stacked, step, unrolled
from snntoolbox.ir.node import Array

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
    ends: list[str] = []
    cells = _cells(call)
    for number, directions in enumerate(cells):
        ways = []
        for cell in directions:
            way = "_backwards" if cell.backwards else ""
            at = call.named(f"{call.name}_layer_{number}{way}" if len(cells) > 1 else f"{call.name}{way}")
            states = unrolled(at, steps, cell, _start(call, len(ends)))
            ends.append(states[0] if cell.backwards else states[-1])
            ways.append(states)
        steps = ways[0] if len(ways) == 1 else [_joined(call, pair) for pair in zip(*ways, strict=True)]
    return [Activation(stacked(call, steps), place), Activation(stacked(call, ends), 1)]


def _joined(call: TorchCall, pair: Sequence[str]) -> str:
    return call.builder.concat(f"{call.name}_both", pair, 0, call.origin)


def _cells(call: TorchCall) -> list[list[Cell]]:
    """The cells of each layer, one or one per direction."""
    weights = [call.array(p) for p in call.args["params"]]
    biases, both = bool(call.args.get("has_biases")), bool(call.args.get("bidirectional"))
    layers, directions, each = int(call.args["num_layers"]), 2 if both else 1, 4 if biases else 2
    if layers < 1 or len(weights) != layers * directions * each:
        raise Refusal(f"{len(weights)} weights for {layers} layers")
    groups = [weights[i : i + each] for i in range(0, len(weights), each)]
    function = FUNCTIONS[call.op.split("_")[1]]
    cells = [Cell(g[0], g[1], _sum(g[2:]), function, both and i % 2 == 1) for i, g in enumerate(groups)]
    return [cells[i : i + directions] for i in range(0, len(cells), directions)]


def _sum(biases: Sequence[Array]) -> Array | None:
    if len({b.shape for b in biases}) > 1:
        raise Refusal(f"its biases have the shapes {[b.shape for b in biases]}")
    return sum(biases[1:], biases[0]) if biases else None


def _start(call: TorchCall, number: int) -> Operand | None:
    """The initial state of this number: one for each layer and direction, with the batch between."""
    state = call.args.get("hx")
    if state is None:
        return None
    if not isinstance(state, Activation):
        states = call.array(state)
        if states.ndim != 3 or number >= len(states):
            raise Refusal(f"its initial state has the shape {states.shape}")
        states = call.one_sample(states, 1)[number]
        return states if states.any() else None
    shape = call.shape(state.name)
    if state.batch_axis != 1 or len(shape) != 2 or number >= shape[0]:
        raise Refusal("its initial state is not of the shape (layers, batch, units)")
    return Activation(row(call, state.name, number))


def cell(call: TorchCall) -> str:
    """One step of a cell: ``f(W x + U h + b)``, with a state that is computed or constant."""
    state = call.args["hx"]
    weight, back = call.required("w_ih"), call.required("w_hh")
    biases = [b for b in (call.constant("b_ih"), call.constant("b_hh")) if b is not None]
    one = Cell(weight, back, _sum(biases), FUNCTIONS[call.op.split("_")[1]])
    start: Operand = state if isinstance(state, Activation) else call.per_sample(call.array(state), 1)
    source = call.args["input"]
    if isinstance(source, Activation):
        return step(call.named(_next_step(call)), source.name, one, start)
    raise Refusal("its input is a constant")


def _next_step(call: TorchCall) -> str:
    """A name for this use of the cell, as those of a whole layer are called."""
    stems = (f"{call.name}_step_{number}" for number in count())
    return next(stem for stem in stems if call.builder.fresh(stem) == call.builder.plain(stem))


HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    **dict.fromkeys(("rnn_relu", "rnn_tanh"), layer),
    **dict.fromkeys(("rnn_relu_cell", "rnn_tanh_cell"), cell),
}
