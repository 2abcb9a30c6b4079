"""Recurrent layers written out over the steps of a sequence: their cell once for each, reading the one before."""

from __future__ import annotations

from collections.abc import Sequence

from snntoolbox.frontends.cells import Cell, State
from snntoolbox.frontends.layer_call import Activation, LayerCall, Refusal
from snntoolbox.ir.node import LinearNode
from snntoolbox.ir.nodes import Concat, Permute, Reshape

LONGEST = 2048
"""Steps of a sequence: each becomes neurons of its own."""


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


def unrolled(
    call: LayerCall, steps: Sequence[str], cell: Cell, starts: Sequence[State] = ()
) -> tuple[list[str], tuple[str, ...]]:
    """What a cell gives behind each step, in the order of time, and its states behind the last that it comes to.

    `starts` are the states before the first, all zero if none is given.
    """
    states = cell.checked(call, steps[0], starts or (None,) * len(cell.states))
    call.builder.spend(len(steps) * cell.recurrent.size)
    outputs, ends = list[str](), tuple[str, ...]()
    for t in reversed(range(len(steps))) if cell.backwards else range(len(steps)):
        ends = cell.step(call.named(f"{call.name}_step_{t}"), steps[t], states)
        states = [Activation(name) for name in ends]
        outputs.append(ends[0])
    return (outputs[::-1] if cell.backwards else outputs), ends
