"""Recurrent layers of Keras, and the wrappers that run a layer in both directions or on each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from snntoolbox.frontends.cells import Cell, GRUCell, LSTMCell, SimpleCell
from snntoolbox.frontends.functions import Function
from snntoolbox.frontends.keras import activations, pooling, scaling, shaping, weighted
from snntoolbox.frontends.keras.activations import activate, activation_name
from snntoolbox.frontends.keras.call import KerasCall, constant
from snntoolbox.frontends.keras.nested import CELLS, RECURRENT, inner, numbered, parts, told_apart
from snntoolbox.frontends.keras.records import Layer
from snntoolbox.frontends.keras.weights import variables
from snntoolbox.frontends.layer_call import Activation, Operand, Refusal, not_supported
from snntoolbox.frontends.maps import weighted_sum
from snntoolbox.frontends.recurrence import rows, stacked, unrolled

Outputs = tuple[str, ...]

LAYERS = (*RECURRENT, "RNN")
STATEFUL = (*LAYERS, "Bidirectional")
"""Layers that may be called with an initial state."""

_PER_STEP = {**weighted.HANDLERS, **pooling.HANDLERS, **activations.HANDLERS, **scaling.HANDLERS, **shaping.HANDLERS}
_MERGED = ("concat", "sum", "ave", None)

# -- one direction --------------------------------------------------------------------------------------------------


def recurrent(call: KerasCall) -> Outputs:
    """What cells give in each step, or in the last one; with `return_state` the last states of each too."""
    steps = rows(call, _sequence(call))
    return _results(call, *_run(call, _cells(call), steps, _starts(call)))


def _sequence(call: KerasCall) -> str:
    if not call.sources:
        raise Refusal("reads no tensor")
    return call.sources[0]


def _starts(call: KerasCall) -> list[Operand]:
    """The initial states that the layer is called with: none where they are zero."""
    first = call.args[0] if call.args else call.kwargs.get("inputs")
    beside = list(first[1:]) if isinstance(first, tuple) else list(call.args[1:2])
    given = call.kwargs.get("initial_state")
    states = beside if given is None else list(given) if isinstance(given, list | tuple) else [given]
    flat = [s for state in states for s in (state if isinstance(state, tuple) else [state])]
    return [s if isinstance(s, Activation) else constant(s) for s in flat]


def _cells(call: KerasCall) -> list[Cell]:
    """The cells of a layer, each reading the one before."""
    if call.config.get("stateful"):
        hint = "build it with stateful=False: each sample is a whole sequence"
        raise Refusal("stateful: its state goes on from one batch to the next", hint=hint)
    held = parts(call.layer.kind, call.config)
    for part in held:
        if part.kind not in CELLS:
            raise not_supported(part.kind)
    backwards = bool(call.config.get("go_backwards"))
    return [_cell(call, part.kind, part.config, i, backwards) for i, part in enumerate(held)]


def _cell(call: KerasCall, kind: str, config: Mapping[str, Any], number: int, backwards: bool) -> Cell:
    """A cell from its config and the weights of this number: gates i, f, g, o of LSTM, and z, r, n of GRU."""
    kernel, back = (call.weight(numbered(n, number)).T for n in ("kernel", "recurrent_kernel"))
    bias = call.weight(numbered("bias", number)) if config.get("use_bias", True) else None
    activation = _named(call, config.get("activation", "tanh"))
    if kind == "SimpleRNNCell":
        return SimpleCell(weight=kernel, recurrent=back, bias=bias, backwards=backwards, activation=activation)
    gate = _named(call, config.get("recurrent_activation", "sigmoid"))
    if kind == "LSTMCell":
        return LSTMCell(
            weight=kernel, recurrent=back, bias=bias, backwards=backwards, gate=gate, activation=activation,
            output=activation,
        )  # fmt: skip
    reset_first, reset_bias = not config.get("reset_after", True), None
    if bias is not None and not reset_first:
        reset_bias = bias[1].copy()[-len(kernel) // 3 :]
        bias = bias[0] + np.where(np.arange(len(kernel)) < len(kernel) // 3 * 2, bias[1], 0)
    return GRUCell(
        weight=kernel, recurrent=back, bias=bias, backwards=backwards, gate=gate, activation=activation,
        reset_bias=reset_bias, reset_first=reset_first,
    )  # fmt: skip


def _named(call: KerasCall, activation: Any) -> Function:
    return lambda at, source: activate(call.named(at.name), source, activation)


def _run(
    call: KerasCall, cells: Sequence[Cell], steps: Sequence[str], starts: Sequence[Operand]
) -> tuple[list[str], list[str]]:
    """What the last cell gives in each step in the order in which Keras gives it, and the last states of each cell."""
    count = sum(len(cell.states) for cell in cells)
    if starts and len(starts) != count:
        raise Refusal(f"{len(starts)} initial states are given for {count}")
    ends: list[str] = []
    outputs = list(steps)
    for i, cell in enumerate(cells):
        part = call if len(cells) == 1 else call.named(f"{call.name}_cell_{i}")
        outputs, last = unrolled(part, outputs, cell, starts[len(ends) :][: len(cell.states)])
        ends += last
    return (outputs[::-1] if call.config.get("go_backwards") else outputs), ends


def _results(call: KerasCall, states: Sequence[str], ends: Sequence[str]) -> Outputs:
    first = stacked(call, states) if call.config.get("return_sequences") else states[-1]
    return (first, *ends) if call.config.get("return_state") else (first,)


# -- wrappers -------------------------------------------------------------------------------------------------------


def bidirectional(call: KerasCall) -> Outputs:
    """One recurrent layer forwards and one backwards over the same sequence, joined step by step, or both results."""
    merge = call.config.get("merge_mode", "concat")
    if merge not in _MERGED:
        raise Refusal(f"merge_mode = {merge!r}; {', '.join(map(str, _MERGED))} are known")
    forward, back = _directions(call)
    steps, starts = rows(call, _sequence(call)), _starts(call)
    if len(starts) % 2:
        raise Refusal(f"{len(starts)} initial states are given for two directions")
    half = len(starts) // 2
    there, ends = _run(forward, _cells(forward), steps, starts[:half])
    back_again, back_ends = _run(back, _cells(back), steps, starts[half:])
    pairs = list(zip(there, back_again[::-1], strict=True))
    if not forward.config.get("return_sequences"):
        pairs = [(there[-1], back_again[-1])]
    results = [list(way) for way in zip(*pairs, strict=True)]
    if merge is not None:
        results = [[_merged(call, *pair, merge) for pair in pairs]]
    if forward.config.get("return_sequences"):
        results = [[stacked(call, way)] for way in results]
    firsts = tuple(way[0] for way in results)
    return (*firsts, *ends, *back_ends) if forward.config.get("return_state") else firsts


def _directions(call: KerasCall) -> list[KerasCall]:
    """The two layers inside, each with its own weights, of which one may have more than the other."""
    entries = [call.config.get("layer"), call.config.get("backward_layer") or call.config.get("layer")]
    names = list(call.layer.weights)
    first = sum(map(len, variables(*inner(entries[0]))))
    calls = []
    for entry, own, way in zip(entries, (names[:first], names[first:]), ("forward", "backward"), strict=True):
        kind, config = inner(entry)
        if kind not in LAYERS:
            raise not_supported(kind)
        if way == "backward" and not call.config.get("backward_layer"):
            config = {**config, "go_backwards": True}
        weights = told_apart((n.rpartition("/")[2], call.layer.weights[n]) for n in own)
        layer = Layer(kind, call.layer.name, config, weights)
        calls.append(replace(call, layer=layer, name=f"{call.name}_{way}"))
    return calls


def _merged(call: KerasCall, first: str, second: str, mode: str) -> str:
    if mode == "concat":
        return call.builder.concat(f"{call.name}_both", [first, second], -1, call.origin)
    factor = 1.0 if mode == "sum" else 0.5
    both = [Activation(first), Activation(second)]
    return weighted_sum(call.named(f"{call.name}_both"), both, (factor, factor))


def time_distributed(call: KerasCall) -> str:
    """The layer inside on each step of a sequence."""
    kind, config = inner(call.config.get("layer"))
    if kind not in _PER_STEP:
        raise Refusal(f"a layer of kind {kind} on each step is not supported")
    handler = _PER_STEP[kind]
    layer = Layer(kind, call.layer.name, config, call.layer.weights)
    name = activation_name(config.get("activation"))
    if name not in activations.BY_NAME and name not in activations.LAYERS:
        raise activations.unknown_activation(name)
    results = []
    for t, source in enumerate(rows(call, call.source())):
        at = replace(call, layer=layer, sources=(source,), args=(Activation(source),), kwargs={})
        results.append(handler(at.named(f"{call.name}_step_{t}")))
    return stacked(call, results)


HANDLERS = {
    **dict.fromkeys(LAYERS, recurrent),
    "Bidirectional": bidirectional,
    "TimeDistributed": time_distributed,
}
