"""What each node of the wiring is in PyTorch: the module or buffers that hold its weights, and an expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from snntoolbox.ir.node import Array, LinearNode, Shape
from snntoolbox.ir.nodes import Add, AveragePool, Concat, Conv, Dense, Mean, Pad, Permute, Reshape, Scale, Take
from snntoolbox.ir.nodes.windows import Padding

CONVOLVED = (1, 2, 3)
"""The numbers of spatial axes that PyTorch has convolutions and pools for."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """value: a node's expression. make: lines that make what it needs. state: what the state dict holds of it."""

    value: str
    make: Sequence[str] = ()
    state: Mapping[str, Array] = field(default_factory=dict)


def piece(node: LinearNode, name: str, inputs: Sequence[str], shapes: tuple[Shape, ...]) -> Piece:
    """The node called `name` of inputs called so, of these shapes; one without an entry is its sparse synapses."""
    make = PIECES.get(type(node))
    made = make(node, name, inputs, shapes) if make is not None else None
    return made if made is not None else _synapses(node, name, inputs, shapes)


def buffer(name: str, value: Array) -> str:
    """The line that makes a buffer for a value."""
    kind = ", dtype=torch.int64" if value.dtype.kind == "i" else ""
    return f'self.register_buffer("{name}", torch.empty({value.shape}{kind}))'


# -- weighted -------------------------------------------------------------------------------------------------------


def _dense(node: Dense, name: str, inputs: Sequence[str], shapes: tuple[Shape, ...]) -> Piece:
    rank, (x,) = len(shapes[0]), inputs
    axis = node.axis % rank + 1
    outs, ins = node.weight.shape
    value = f"self.{name}({x})" if axis == rank else f"self.{name}({x}.movedim({axis}, -1)).movedim(-1, {axis})"
    make = [f"self.{name} = nn.Linear({ins}, {outs}, bias=False)"]
    return Piece(value=value, make=make, state={f"{name}.weight": node.weight})


def _conv(node: Conv, name: str, inputs: Sequence[str], shapes: tuple[Shape, ...]) -> Piece | None:
    rank = node.weight.ndim - 2
    if rank not in CONVOLVED:
        return None
    (x,), padding = inputs, tuple(lo for lo, _ in node.padding)
    if any(lo != hi for lo, hi in node.padding):
        x, padding = _padded(x, node.padding), (0,) * rank
    channels = f"{node.weight.shape[1] * node.groups}, {node.weight.shape[0]}, {node.weight.shape[2:]}"
    rest = f"stride={node.stride}, padding={padding}, dilation={node.dilation}, groups={node.groups}, bias=False"
    make = [f"self.{name} = nn.Conv{rank}d({channels}, {rest})"]
    return Piece(value=f"self.{name}({x})", make=make, state={f"{name}.weight": node.weight})


def _scale(node: Scale, name: str, inputs: Sequence[str], shapes: tuple[Shape, ...]) -> Piece:
    gain = np.asarray(node.gain, np.float64)
    return Piece(value=f"{inputs[0]} * self.{name}", make=[buffer(name, gain)], state={name: gain})


def _synapses(node: LinearNode, name: str, inputs: Sequence[str], shapes: tuple[Shape, ...]) -> Piece:
    matrix = sp.coo_array(sp.hstack(node.synapses(*shapes)))
    state = {
        f"{name}_index": np.stack([matrix.row, matrix.col]).astype(np.int64),
        f"{name}_values": np.asarray(matrix.data, np.float64),
    }
    flat = [f"{x}.flatten(1)" for x in inputs]
    joined = flat[0] if len(flat) == 1 else f"torch.cat(({', '.join(flat)}), 1)"
    matrix_of = f"torch.sparse_coo_tensor(self.{name}_index, self.{name}_values, {matrix.shape})"
    value = _reshaped(f"({matrix_of} @ {joined}.T).T", node.output_shape(*shapes))
    return Piece(value=value, make=[buffer(n, v) for n, v in state.items()], state=state)


# -- summing --------------------------------------------------------------------------------------------------------


def _add(node: Add, name: str, inputs: Sequence[str], shapes: tuple[Shape, ...]) -> Piece:
    terms = [x if c == 1 else f"{float(c)!r} * {x}" for c, x in zip(node.factors, inputs, strict=True)]
    return Piece(value=" + ".join(terms) if len(terms) > 1 else f"1 * {terms[0]}")


def _average_pool(node: AveragePool, name: str, inputs: Sequence[str], shapes: tuple[Shape, ...]) -> Piece | None:
    rank = len(node.kernel)
    if rank not in CONVOLVED:
        return None
    over = node.overhang or (0,) * rank
    pads = tuple((lo, hi + o) for (lo, hi), o in zip(node.padding, over, strict=True))
    x, kernel, stride = _padded(inputs[0], pads), node.kernel, node.stride
    divisor = node.divisor(shapes[0][1:])
    even = bool(np.all(divisor == divisor.flat[0]))
    by = int(divisor.flat[0]) if even else 1
    if rank == 1:  # PyTorch lets pools of two axes or more alone choose what they divide by
        pooled = f"F.avg_pool2d(({x})[:, :, None], {(1, *kernel)}, {(1, *stride)}, divisor_override={by})[:, :, 0]"
    else:
        pooled = f"F.avg_pool{rank}d({x}, {kernel}, {stride}, divisor_override={by})"
    if even:
        return Piece(value=pooled)
    return Piece(value=f"{pooled} / self.{name}", make=[buffer(name, divisor)], state={name: divisor})


def _mean(node: Mean, name: str, inputs: Sequence[str], shapes: tuple[Shape, ...]) -> Piece:
    axes = tuple(a + 1 for a in node.axes)
    summed = f"{inputs[0]}.sum({axes}, keepdim={node.keepdims})"
    return Piece(value=f"{summed} / {node.divisor(shapes[0])}")


# -- moving ---------------------------------------------------------------------------------------------------------


def _padded(x: str, pads: Padding) -> str:
    """The values with zeros around them; PyTorch counts pads from the last axis on."""
    if not any(lo or hi for lo, hi in pads):
        return x
    return f"F.pad({x}, {tuple(n for pair in reversed(pads) for n in pair)})"


def _reshaped(x: str, shape: Shape) -> str:
    return f"{x}.reshape({', '.join(map(str, (-1, *shape)))})" if shape else f"{x}.reshape(-1)"


def _take(node: Take, name: str, inputs: Sequence[str], shapes: tuple[Shape, ...]) -> Piece:
    index = np.asarray(node.indices, np.int64)
    value = f"{inputs[0]}.index_select({node.axis + 1}, self.{name})"
    return Piece(value=value, make=[buffer(name, index)], state={name: index})


PIECES: Mapping[type[LinearNode], Callable[[Any, str, Sequence[str], tuple[Shape, ...]], Piece | None]] = {
    Dense: _dense,
    Conv: _conv,
    Scale: _scale,
    Add: _add,
    AveragePool: _average_pool,
    Mean: _mean,
    Reshape: lambda node, name, inputs, shapes: Piece(value=_reshaped(inputs[0], node.shape)),
    Permute: lambda node, name, inputs, shapes: Piece(value=f"{inputs[0]}.permute{(0, *(a + 1 for a in node.axes))}"),
    Take: _take,
    Pad: lambda node, name, inputs, shapes: Piece(value=_padded(inputs[0], node.pads)),
    Concat: lambda node, name, inputs, shapes: Piece(value=f"torch.cat(({', '.join(inputs)},), {node.axis + 1})"),
}
"""A line for each type that PyTorch has a word for."""
