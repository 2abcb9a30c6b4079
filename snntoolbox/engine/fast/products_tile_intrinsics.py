"""The vector instructions that stand for the functions of `products_tile_loops` in compiled loops."""

# Numba's decorators have no types.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload, register_jitable

from snntoolbox.engine.fast import products_tile_loops

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_MOST = 16
"""Sums of a tile, in vectors, that stay in registers."""


def four_products() -> bool:
    """Whether the processor adds four products of bytes at once in its widest registers (AVX-512 VNNI)."""
    return _has("avx512vnni")


def pairs_of_products() -> bool:
    """Whether it adds two of them at once in 16 bits, and no four (AVX2)."""
    return _has("avx2") and not four_products()


def wide_registers() -> bool:
    """Whether the processor has 32 registers of 64 bytes (AVX-512)."""
    return _has("avx512f")


def _has(feature: str) -> bool:
    """Whether loops are compiled for a processor with this feature."""
    wanted = numba.config.CPU_FEATURES
    if wanted is None and numba.config.CPU_NAME in (None, "host"):
        wanted = llvmlite.binding.get_host_cpu_features().flatten()
    return f"+{feature}" in (wanted or "").split(",")


@dataclass(frozen=True)
class _Arithmetic:
    """A vector of `lanes` sums; what is read of a place at once, and how a sum gets its product with weights.

    Where `short` is given products of a row are summed in vectors of that kind, which `widen` makes sums.
    """

    lanes: int
    total: Any
    read: Any
    weights: Any
    add: Callable[..., Any]
    short: Any = None
    widen: Callable[..., Any] | None = None
    most: int = _MOST


def _add_bytes(b: Any, total: Any, values: Any, weights: Any) -> Any:
    """total + the sums of four neighbouring products: exact."""
    if four_products():
        kind = ir.FunctionType(total.type, [total.type] * 3)
        function = cgutils.get_or_insert_function(b.module, kind, "llvm.x86.avx512.vpdpbusd.512")
        return b.call(function, [total, values, b.bitcast(weights, total.type)])
    wide = ir.VectorType(_I32, 64)
    products = b.mul(b.zext(b.bitcast(values, weights.type), wide), b.sext(weights, wide))
    for k in range(4):
        mask = ir.Constant(ir.VectorType(_I32, 16), [*range(k, 64, 4)])
        total = b.add(total, b.shuffle_vector(products, ir.Constant(wide, ir.Undefined), mask))
    return total


_SHORTS, _EIGHT = ir.VectorType(ir.IntType(16), 16), ir.VectorType(_I32, 8)


def _add_pairs(b: Any, total: Any, values: Any, weights: Any) -> Any:
    """total + the sums of two neighbouring products, in 16 bits."""
    kind = ir.FunctionType(_SHORTS, [weights.type] * 2)
    function = cgutils.get_or_insert_function(b.module, kind, "llvm.x86.avx2.pmadd.ub.sw")
    return b.add(total, b.call(function, [b.bitcast(values, weights.type), weights]))


def _widen_pairs(b: Any, total: Any, short: Any) -> Any:
    """total + the sums of two neighbours."""
    kind = ir.FunctionType(_EIGHT, [_SHORTS] * 2)
    function = cgutils.get_or_insert_function(b.module, kind, "llvm.x86.avx2.pmadd.wd")
    return b.add(total, b.call(function, [short, ir.Constant(_SHORTS, [1] * 16)]))


def _add_doubles(b: Any, total: Any, values: Any, weights: Any) -> Any:
    kind = ir.FunctionType(total.type, [total.type] * 3)
    function = cgutils.get_or_insert_function(b.module, kind, "llvm.fmuladd.v8f64")
    return b.call(function, [values, weights, total])


_DOUBLES = ir.VectorType(ir.DoubleType(), 8)
_ARITHMETIC = {
    8: _Arithmetic(16, ir.VectorType(_I32, 16), _I32, ir.VectorType(ir.IntType(8), 64), _add_bytes),
    64: _Arithmetic(8, _DOUBLES, ir.DoubleType(), _DOUBLES, _add_doubles),
}
"""By the bits of a weight."""

_PAIRS = _Arithmetic(8, _EIGHT, _I32, ir.VectorType(ir.IntType(8), 32), _add_pairs, _SHORTS, _widen_pairs, 8)
"""That of bytes for processors with 16 registers of 32 bytes."""


def _arithmetic(bits: int) -> _Arithmetic:
    return _PAIRS if bits == 8 and pairs_of_products() else _ARITHMETIC[bits]


@intrinsic
def _tile(
    typing: Any, places: Any, lanes: Any, each: Any, values: Any, at: Any, hop: Any, rows: Any, line: Any, groups: Any,
    weight: Any, column: Any, width: Any, out: Any, to: Any,
) -> Any:  # fmt: skip
    i = types.int64
    signature = types.void(i, i, i, values, i, i, i, i, i, weight, i, i, out, i)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        way = _arithmetic(signature.args[9].dtype.bitwidth)
        for p in products_tile_loops.PLACES:
            for n in products_tile_loops.LANES:
                if p * n // way.lanes <= way.most:
                    size = [b.icmp_signed("==", arguments[k], _I64(wanted)) for k, wanted in ((0, p), (1, n))]
                    with b.if_then(b.and_(*size)):
                        _sums(context, b, signature.args[3:], arguments[3:], way, p, n // way.lanes)
        return context.get_dummy_value()

    return signature, generate


def _sums(context: Any, b: Any, kinds: Any, arguments: Any, way: _Arithmetic, places: int, vectors: int) -> None:
    """One size of tile: a sum for each place and each vector of filters."""
    _, at, hop, rows, line, groups, _, column, width, _, to = arguments
    none, undefined = ir.Constant(way.total, None), ir.Constant(ir.VectorType(way.read, way.lanes), ir.Undefined)
    first = ir.Constant(ir.VectorType(_I32, way.lanes), None)
    each = 4 if way.read is _I32 else 1

    def vector(array: int, place: Any, kind: Any) -> Any:
        data = context.make_array(kinds[array])(context, b, arguments[array]).data
        return b.bitcast(b.gep(data, [place]), kind.as_pointer())

    def load(array: int, place: Any, kind: Any) -> Any:
        found = b.load(vector(array, place, kind))
        found.align = kinds[array].dtype.bitwidth // 8
        return found

    every = [(p, q) for p in range(places) for q in range(vectors)]
    sums = {one: cgutils.alloca_once(b, way.total) for one in every}
    inside = {one: cgutils.alloca_once(b, way.short) for one in every} if way.short else sums
    for total in sums.values():
        b.store(none, total)
    hops = [b.mul(hop, _I64(p)) for p in range(places)]
    with cgutils.for_range(b, rows, intp=_I64) as outer:
        begin, group = b.add(at, b.mul(outer.index, line)), b.mul(outer.index, groups)
        for short in inside.values() if way.short else ():
            b.store(ir.Constant(way.short, None), short)
        with cgutils.for_range(b, groups, intp=_I64) as inner:
            here = b.add(begin, b.mul(inner.index, _I64(each)))
            there = b.mul(b.add(b.mul(b.add(group, inner.index), width), column), _I64(each))
            factors = [load(6, b.add(there, _I64(way.lanes * each * q)), way.weights) for q in range(vectors)]
            for p in range(places):
                one = b.insert_element(undefined, load(0, b.add(here, hops[p]), way.read), _I32(0))
                spread = b.shuffle_vector(one, undefined, first)
                for q in range(vectors):
                    b.store(way.add(b, b.load(inside[p, q]), spread, factors[q]), inside[p, q])
        for one in every if way.widen else ():
            b.store(way.widen(b, b.load(sums[one]), b.load(inside[one])), sums[one])  # type: ignore[misc]
    element = context.get_value_type(kinds[9].dtype)
    for p, q in every:
        found = _as(b, b.load(sums[p, q]), element, way.lanes)
        place = b.add(b.add(to, b.mul(width, _I64(p))), _I64(way.lanes * q))
        b.store(found, vector(9, place, found.type)).align = kinds[9].dtype.bitwidth // 8


def _as(b: Any, sums: Any, element: Any, lanes: int) -> Any:
    """Sums as values of another type that holds them."""
    return sums if sums.type.element == element else b.sitofp(sums, ir.VectorType(element, lanes))


@overload(products_tile_loops.multiply_tile, jit_options={"forceinline": True})
def _multiply_tile(
    places: Any, lanes: Any, each: Any, values: Any, at: Any, hop: Any, rows: Any, line: Any, groups: Any, weight: Any,
    column: Any, width: Any, out: Any, to: Any,
) -> Any:  # fmt: skip
    def call(
        places: Any, lanes: Any, each: Any, values: Any, at: Any, hop: Any, rows: Any, line: Any, groups: Any,
        weight: Any, column: Any, width: Any, out: Any, to: Any,
    ) -> Any:  # fmt: skip
        _tile(places, lanes, each, values, at, hop, rows, line, groups, weight, column, width, out, to)

    return call


@overload(products_tile_loops.most_places, jit_options={"forceinline": True})
def _most_places(each: Any) -> Any:
    many, some, few, _ = products_tile_loops.PLACES
    doubles = many if _has("avx512f") else few  # of 16 registers of half the width 8 places would need all twice over
    pairs = some if pairs_of_products() else many

    def call(each: Any) -> Any:
        return doubles if each == 1 else pairs

    return call


@overload(products_tile_loops.widest, jit_options={"forceinline": True})
def _widest(each: Any) -> Any:
    wide, narrow = products_tile_loops.LANES
    pairs = narrow if pairs_of_products() else wide

    def call(each: Any) -> Any:
        return narrow if each == 1 else pairs

    return call


@intrinsic
def _copy(typing: Any, values: Any, at: Any, size: Any, out: Any, to: Any) -> Any:
    i = types.int64
    signature = types.void(values, i, i, out, i)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        values, at, size, out, to = arguments
        source, target = (
            b.gep(context.make_array(signature.args[k])(context, b, array).data, [place])
            for k, array, place in ((0, values, at), (3, out, to))
        )
        cgutils.raw_memcpy(b, target, source, size, signature.args[0].dtype.bitwidth // 8)
        return context.get_dummy_value()

    return signature, generate


@overload(products_tile_loops.copy_line, jit_options={"forceinline": True})
def _copy_line(values: Any, at: Any, size: Any, out: Any, to: Any) -> Any:
    def call(values: Any, at: Any, size: Any, out: Any, to: Any) -> Any:
        _copy(values, at, size, out, to)

    return call


@intrinsic
def _round(typing: Any, sums: Any, at: Any, limit: Any, out: Any, to: Any) -> Any:
    i = types.int64
    signature = i(sums, i, types.float64, out, i)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        kinds, (sums, at, limit, out, to) = signature.args, arguments

        def place(k: int, array: Any, at: Any, kind: Any) -> Any:
            data = context.make_array(kinds[k])(context, b, array).data
            return b.bitcast(b.gep(data, [at]), kind.as_pointer())

        def splat(value: Any) -> Any:
            one = b.insert_element(ir.Constant(_DOUBLES, ir.Undefined), value, _I32(0))
            mask = ir.Constant(ir.VectorType(_I32, 8), None)
            return b.shuffle_vector(one, ir.Constant(_DOUBLES, ir.Undefined), mask)

        value = b.load(place(0, sums, at, _DOUBLES))
        value.align = 8
        shift = splat(ir.Constant(ir.DoubleType(), 1.5 * 2.0**52))
        whole = b.fsub(b.fadd(value, shift), shift)
        kind = ir.FunctionType(_DOUBLES, [_DOUBLES])
        amount = b.call(cgutils.get_or_insert_function(b.module, kind, "llvm.fabs.v8f64"), [b.fsub(value, whole)])
        off = b.fcmp_unordered(">=", amount, splat(limit))
        element = context.get_value_type(kinds[3].dtype)
        stored = ir.VectorType(element, 8)
        given = whole if element == _DOUBLES.element else b.fptrunc(whole, stored)
        b.store(given, place(3, out, to, stored)).align = kinds[3].dtype.bitwidth // 8
        return b.zext(b.ctpop(b.bitcast(off, ir.IntType(8))), _I64)

    return signature, generate


@overload(products_tile_loops.round_eight, jit_options={"forceinline": True})
def _round_eight(sums: Any, at: Any, limit: Any, out: Any, to: Any) -> Any:
    def call(sums: Any, at: Any, limit: Any, out: Any, to: Any) -> Any:
        return _round(sums, at, limit, out, to)

    return call


for _inner in products_tile_loops.INNER:
    register_jitable(forceinline=True)(_inner)
