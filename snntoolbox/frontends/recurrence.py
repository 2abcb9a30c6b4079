"""Recurrent layers written out over the steps of a sequence: their cell once for each, reading the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snntoolbox.frontends.functions import Function
from snntoolbox.frontends.layer_call import Activation, LayerCall, Operand, Refusal
from snntoolbox.ir.node import Array, LinearNode
from snntoolbox.ir.nodes import Add, Concat, Permute, Reshape

LONGEST = 2048
"""Steps of a sequence: each becomes neurons of its own."""


@dataclass(frozen=True, eq=False)
class Cell:
    """``h[t] = f(W x[t] + U h[t - 1] + b)``: W (units, features), U (units, units), b (units,), f the activation.

    A cell that runs `backwards` begins with the last step.
    """

    weight: Array
    recurrent: Array
    bias: Array | None
    activation: Function
    backwards: bool = False

    @property
    def units(self) -> int:
        """The number of neurons."""
        return len(self.weight)


# -- sequences ------------------------------------------------------------------------------------------------------


def row(call: LayerCall, source: str, index: int) -> str:
    """``x[index]`` along the first axis of a sample, which goes away, from where it was made if that can be told.

    So what reads one step of a sequence does not hang on the others.
    """
    build, name = call.builder, f"{call.name}_row_{index}"
    node, shape = build.node(source), build.shape(source)
    plain = not isinstance(node, LinearNode) or node.bias is None
    if plain and isinstance(node, Concat) and node.axis == 0:
        for part in node.inputs:
            if index < (size := build.shape(part)[0]):
                return row(call, part, index)
            index -= size
    if plain and isinstance(node, Concat):
        parts = [row(call, part, index) for part in node.inputs]
        return build.concat(name, parts, node.axis - 1, call.origin)
    if plain and isinstance(node, Permute) and node.axes[0] == 0:
        order = [a - 1 for a in node.axes[1:]]
        return build.permute(name, row(call, node.inputs[0], index), order, call.origin)
    if plain and isinstance(node, Reshape) and build.shape(node.inputs[0])[:1] == shape[:1]:
        return build.reshape(name, row(call, node.inputs[0], index), shape[1:], call.origin)
    if shape[0] == 1:
        whole = node.inputs[0] if plain and isinstance(node, Reshape) else source
        return build.reshape(name, whole, shape[1:], call.origin)
    picked = build.take(name, source, 0, [index], call.origin)
    return build.reshape(name, picked, shape[1:], call.origin)


def rows(call: LayerCall, source: str) -> list[str]:
    """Each step of a sequence (steps, ...); Refusal where these are too many, or none."""
    shape = call.shape(source)
    if len(shape) < 2:
        raise Refusal(f"expects a sequence, of shape (steps, features), got samples of shape {shape}")
    if shape[0] > LONGEST:
        raise Refusal(
            f"its sequence of {shape[0]:,} steps is longer than the {LONGEST:,} that are written out",
            hint="cut the sequences into shorter ones",
        )
    return [row(call, source, t) for t in range(shape[0])]


def stacked(call: LayerCall, steps: Sequence[str]) -> str:
    """The sequence (steps, ...) of what its steps are."""
    build = call.builder
    wide = [build.reshape(f"{call.name}_part_{t}", s, (1, *build.shape(s)), call.origin) for t, s in enumerate(steps)]
    return wide[0] if len(wide) == 1 else build.concat(f"{call.name}_sequence", wide, 0, call.origin)


# -- cells ----------------------------------------------------------------------------------------------------------


def unrolled(call: LayerCall, steps: Sequence[str], cell: Cell, start: Operand | None) -> list[str]:
    """The states (units,) of a cell behind each step, in the order of time; `start` is the state before the first."""
    _check(call, steps, cell)
    call.builder.spend(len(steps) * cell.recurrent.size)
    states: list[str] = []
    state = start
    for t in reversed(range(len(steps))) if cell.backwards else range(len(steps)):
        state = Activation(step(call.named(f"{call.name}_step_{t}"), steps[t], cell, state))
        states.append(state.name)
    return states[::-1] if cell.backwards else states


def step(call: LayerCall, source: str, cell: Cell, state: Operand | None) -> str:
    """One step of a cell; a constant state is part of its bias, and none is zero."""
    _check(call, [source], cell)
    build, shape = call.builder, (cell.units,)
    bias = cell.bias
    if state is not None and not isinstance(state, Activation):
        if np.size(state) != cell.units:
            raise Refusal(f"its initial state of shape {np.shape(state)} does not fit {cell.units} units")
        shift = cell.recurrent @ np.asarray(state, np.float64).reshape(shape)
        bias = shift if bias is None else bias + shift
    current = build.dense(f"{call.name}_input", source, cell.weight, bias, origin=call.origin)
    if isinstance(state, Activation):
        if call.shape(state.name) != shape:
            raise Refusal(f"its initial state of shape {call.shape(state.name)} does not fit {cell.units} units")
        back = build.dense(f"{call.name}_recurrent", state.name, cell.recurrent, None, origin=call.origin)
        current = build.add(Add(name=f"{call.name}_current", inputs=(current, back), origin=call.origin))
    return cell.activation(call, current)


def _check(call: LayerCall, steps: Sequence[str], cell: Cell) -> None:
    """Refusal where the weights are not those of a cell for these features."""
    units, features = cell.units, call.shape(steps[0])
    fits = cell.weight.shape == (units, *features) and cell.recurrent.shape == (units, units)
    if len(features) != 1 or not fits or (cell.bias is not None and cell.bias.shape != (units,)):
        shapes = [a.shape for a in (cell.weight, cell.recurrent, cell.bias) if a is not None]
        raise Refusal(f"its weights of shapes {shapes} do not fit steps of shape {features}")
