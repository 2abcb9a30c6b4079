"""Linear nodes with trained weights: dense, convolution, diagonal, sparse."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp

from snntoolbox.ir.node import Array, LinearNode, Shape, collapse, uniform_along
from snntoolbox.ir.nodes.windows import Padding, extract_windows, geometry_fault, window_indices, window_output


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(LinearNode):
    """``y = W x`` along one axis of the sample; `weight` has shape (out, in)."""

    weight: Array
    axis: int = -1

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape with `axis` of length out."""
        shape = self.one(shapes)
        if self.weight.ndim != 2:
            raise self.misfit(f"its weight must have two axes, has shape {self.weight.shape}")
        if not -len(shape) <= self.axis < len(shape) or shape[self.axis] != self.weight.shape[1]:
            raise self.misfit(f"expects {self.weight.shape[1]} features on axis {self.axis}, got shape {shape}")
        out = list(shape)
        out[self.axis] = self.weight.shape[0]
        return tuple(out)

    def _axis(self, ndim: int) -> int:
        return self.axis % (ndim - 1) + 1

    def linear(self, *values: Array) -> Array:
        """``W x`` for a batch."""
        (x,) = values
        axis = self._axis(x.ndim)
        weight = self.weight.astype(x.dtype, copy=False)
        if axis == x.ndim - 1:
            return np.asarray(x @ weight.T)
        return np.moveaxis(np.moveaxis(x, axis, -1) @ weight.T, -1, axis)

    def synapses(self, *shapes: Shape) -> tuple[sp.csr_array, ...]:
        """``W`` itself, repeated over the other axes."""
        shape = self.one(shapes)
        axis = self.axis % len(shape)
        before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        inner = sp.kron(sp.csr_array(self.weight), sp.eye_array(after), format="csr") if after > 1 else self.weight
        outer = sp.kron(sp.eye_array(before), inner, format="csr") if before > 1 else inner
        return (sp.csr_array(outer),)

    def absorb_output(self, gain: Array) -> Self | None:
        """Rows scaled, where the gain varies along `axis` only."""
        others = tuple(a for a in range(gain.ndim) if a != self.axis % gain.ndim)
        if not uniform_along(gain, others):
            return None
        rows = np.broadcast_to(collapse(gain, others).reshape(-1, 1), (self.weight.shape[0], 1))
        return replace(self, weight=self.weight * rows, bias=None if self.bias is None else self.bias * gain)

    def absorb_input(self, gain: Array) -> Self | None:
        """Columns scaled, where the gain varies along `axis` only."""
        others = tuple(a for a in range(gain.ndim) if a != self.axis % gain.ndim)
        if not uniform_along(gain, others):
            return None
        return replace(self, weight=self.weight * collapse(gain, others).reshape(1, -1))

    @property
    def weights(self) -> Array | None:
        """The matrix (out, in)."""
        return self.weight


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv(LinearNode):
    """Convolution (cross-correlation) over any number of spatial axes; input (channels, *space).

    `weight` has shape (out, in / groups, *kernel); `padding` is (before, after) zeros per spatial axis.
    """

    weight: Array
    stride: tuple[int, ...]
    padding: Padding
    dilation: tuple[int, ...]
    groups: int = 1

    def output_shape(self, *shapes: Shape) -> Shape:
        """(out, *windows)."""
        shape = self.one(shapes)
        kernel = self.weight.shape[2:]
        if self.weight.ndim < 3 or self.groups < 1:
            raise self.misfit(f"cannot use a weight of shape {self.weight.shape} in {self.groups} groups")
        if len(shape) != len(kernel) + 1:
            raise self.misfit(f"expects {len(kernel)} spatial axes behind the channels, got shape {shape}")
        if shape[0] != self.weight.shape[1] * self.groups:
            raise self.misfit(f"expects {self.weight.shape[1] * self.groups} channels, got shape {shape}")
        if self.weight.shape[0] % self.groups:
            raise self.misfit(f"its {self.weight.shape[0]} filters do not divide into {self.groups} groups")
        geometry = (shape[1:], kernel, self.stride, self.padding, self.dilation)
        if fault := geometry_fault(*geometry):
            raise self.misfit(fault)
        return (self.weight.shape[0], *window_output(*geometry))

    def linear(self, *values: Array) -> Array:
        """The sum of products over each window, for a batch."""
        (x,) = values
        kernel = self.weight.shape[2:]
        windows = extract_windows(x, kernel, self.stride, self.padding, self.dilation)
        batch, channels, space = len(x), x.shape[1], windows.shape[2 : 2 + len(kernel)]
        per_group = channels // self.groups
        taps = math.prod(kernel)
        cols = windows.reshape(batch, self.groups, per_group, math.prod(space), taps)
        cols = cols.transpose(1, 0, 3, 2, 4).reshape(self.groups, batch * math.prod(space), per_group * taps)
        weight = self.weight.astype(x.dtype, copy=False).reshape(self.groups, -1, per_group * taps)
        out = cols @ weight.transpose(0, 2, 1)
        if self.groups == 1:  # a view: large outputs need not be copied to have channels first
            return np.moveaxis(out.reshape(batch, *space, -1), -1, 1)
        out = out.reshape(self.groups, batch, math.prod(space), -1).transpose(1, 0, 3, 2)
        return np.ascontiguousarray(out).reshape(batch, self.weight.shape[0], *space)

    def synapses(self, *shapes: Shape) -> tuple[sp.csr_array, ...]:
        """The kernel repeated at every window; taps on padding are left out."""
        shape = self.one(shapes)
        out_shape = self.output_shape(shape)
        positions = window_indices(shape[1:], self.weight.shape[2:], self.stride, self.padding, self.dilation)
        windows, taps = positions.shape
        filters, per_group = self.weight.shape[:2]
        group_of = np.arange(filters) // (filters // self.groups)
        channel = group_of[:, None] * per_group + np.arange(per_group)
        rows = np.arange(filters)[:, None, None, None] * windows + np.arange(windows)[None, :, None, None]
        cols = channel[:, None, :, None] * math.prod(shape[1:]) + positions[None, :, None, :]
        data = self.weight.reshape(filters, 1, per_group, taps)
        rows, cols, data, inside = np.broadcast_arrays(rows, cols, data, positions[None, :, None, :] >= 0)
        keep = inside & (data != 0)
        coo = (data[keep], (rows[keep], cols[keep]))
        return (sp.csr_array(coo, shape=(math.prod(out_shape), math.prod(shape))),)

    def absorb_output(self, gain: Array) -> Self | None:
        """Filters scaled, where the gain is one per channel."""
        space = tuple(range(1, gain.ndim))
        if not uniform_along(gain, space):
            return None
        rows = np.broadcast_to(collapse(gain, space).reshape(-1), (self.weight.shape[0],))
        weight = self.weight * rows.reshape(-1, *[1] * (self.weight.ndim - 1))
        return replace(self, weight=weight, bias=None if self.bias is None else self.bias * gain)

    def absorb_input(self, gain: Array) -> Self | None:
        """Input channels scaled, where the gain is one per channel."""
        space = tuple(range(1, gain.ndim))
        if not uniform_along(gain, space):
            return None
        filters, per_group = self.weight.shape[:2]
        columns = np.broadcast_to(collapse(gain, space).reshape(-1), (per_group * self.groups,))
        columns = np.repeat(columns.reshape(self.groups, per_group), filters // self.groups, axis=0)
        return replace(self, weight=self.weight * columns.reshape(filters, per_group, *[1] * (self.weight.ndim - 2)))

    @property
    def weights(self) -> Array | None:
        """The kernels (out, in / groups, *kernel)."""
        return self.weight


@dataclass(frozen=True, eq=False, kw_only=True)
class Scale(LinearNode):
    """A diagonal map ``y = gain * x + bias``: batch normalisation, constants, threshold scales.

    `gain` has the rank of the sample and broadcasts to its shape. Batch normalisation is
    gain = gamma / sqrt(var + eps), bias = beta - mean * gain (Ioffe & Szegedy 2015).
    """

    gain: Array

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        shape = self.one(shapes)
        for what, array in (("gain", self.gain), ("bias", self.bias)):
            if array is not None and (
                array.ndim != len(shape) or any(a not in (1, s) for a, s in zip(array.shape, shape, strict=True))
            ):
                raise self.misfit(f"{what} of shape {array.shape} does not fit input {shape}")
        return shape

    def linear(self, *values: Array) -> Array:
        """``gain * x``."""
        (x,) = values
        return np.asarray(x * self.gain.astype(x.dtype, copy=False))

    def synapses(self, *shapes: Shape) -> tuple[sp.csr_array, ...]:
        """The diagonal."""
        return (sp.csr_array(sp.diags_array(np.broadcast_to(self.gain, self.one(shapes)).ravel())),)

    def absorb_output(self, gain: Array) -> Self | None:
        """Any gain."""
        return replace(self, gain=self.gain * gain, bias=None if self.bias is None else self.bias * gain)

    def absorb_input(self, gain: Array) -> Self | None:
        """Any gain."""
        return replace(self, gain=self.gain * gain)

    @property
    def weights(self) -> Array | None:
        """The gains."""
        return self.gain


@dataclass(frozen=True, eq=False, kw_only=True)
class Sparse(LinearNode):
    """Any linear map as a sparse matrix (outputs x inputs, flattened in C order) between two shapes."""

    matrix: sp.csr_array
    shape_in: Shape
    shape_out: Shape

    def output_shape(self, *shapes: Shape) -> Shape:
        """`shape_out`."""
        if self.one(shapes) != self.shape_in:
            raise self.misfit(f"expects shape {self.shape_in}, got {shapes[0]}")
        if self.matrix.shape != (math.prod(self.shape_out), math.prod(self.shape_in)):
            raise self.misfit(f"a matrix of shape {self.matrix.shape} does not map {self.shape_in} to {self.shape_out}")
        return self.shape_out

    def linear(self, *values: Array) -> Array:
        """The matrix applied to each flattened sample."""
        (x,) = values
        out = (self.matrix.astype(x.dtype) @ x.reshape(len(x), -1).T).T
        return np.asarray(out).reshape(len(x), *self.shape_out)

    def synapses(self, *shapes: Shape) -> tuple[sp.csr_array, ...]:
        """The matrix itself."""
        return (self.matrix,)

    def absorb_output(self, gain: Array) -> Self | None:
        """Rows scaled; any gain."""
        rows = np.broadcast_to(gain, self.shape_out).ravel()
        scaled = sp.csr_array(sp.diags_array(rows) @ self.matrix)
        return replace(self, matrix=scaled, bias=None if self.bias is None else self.bias * gain)

    def absorb_input(self, gain: Array) -> Self | None:
        """Columns scaled; any gain."""
        columns = np.broadcast_to(gain, self.shape_in).ravel()
        return replace(self, matrix=sp.csr_array(self.matrix @ sp.diags_array(columns)))

    @property
    def weights(self) -> Array | None:
        """The stored entries."""
        return np.asarray(self.matrix.data)
