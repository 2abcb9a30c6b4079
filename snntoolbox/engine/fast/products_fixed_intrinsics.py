"""The vector instructions that stand for the functions of `products_fixed_loops` in compiled loops."""

# Numba's decorators have no types.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload, register_jitable

from snntoolbox.engine.fast import products_fixed_loops
from snntoolbox.engine.fast.compiled_intrinsics import floating, load_lanes, splat, store_lanes
from snntoolbox.engine.fast.products_tile_intrinsics import wide_registers

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_SINGLES = ir.VectorType(ir.FloatType(), 16)
_WHOLE = ir.VectorType(_I32, 16)
_ONE = ir.DoubleType()
_DOUBLES = ir.VectorType(_ONE, 8)


def _fused(b: Any, kind: Any, *arguments: Any) -> Any:
    """a * b + c, in one rounding where the processor has it."""
    name = f"llvm.fmuladd.v{kind.count}{'f32' if kind is _SINGLES else 'f64'}"
    return b.call(cgutils.get_or_insert_function(b.module, ir.FunctionType(kind, [kind] * 3), name), arguments)


@intrinsic
def _tile(
    typing: Any, places: Any, lanes: Any, values: Any, at: Any, hop: Any, rows: Any, line: Any, groups: Any, tall: Any,
    long: Any, weight: Any, column: Any, width: Any, out: Any, to: Any,
) -> Any:  # fmt: skip
    i = types.int64
    signature = types.void(i, i, values, i, i, i, i, i, i, i, weight, i, i, out, i)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        skipped = 0 if wide_registers() else 1  # sizes that `sum_places` does not ask for
        for p in products_fixed_loops.PLACES[skipped:]:
            for n in products_fixed_loops.LANES[skipped:]:
                size = [b.icmp_signed("==", arguments[k], _I64(wanted)) for k, wanted in ((0, p), (1, n))]
                with b.if_then(b.and_(*size)):
                    _sums(context, b, signature.args[2:], arguments[2:], p, n // 16)
        return context.get_dummy_value()

    return signature, generate


def _sums(context: Any, b: Any, kinds: Any, arguments: Any, places: int, vectors: int) -> None:
    """One size of tile: a short sum and a whole one for each place and each vector of filters."""
    values, at, hop, rows, line, groups, tall, long, weight, column, width, out, to = arguments
    many = [(p, q) for p in range(places) for q in range(vectors)]
    whole, short = ({pq: cgutils.alloca_once(b, kind) for pq in many} for kind in (_WHOLE, _SINGLES))
    hops = [b.mul(hop, _I64(p)) for p in range(places)]

    def counted(first: Any, last: Any, by: Any) -> Any:
        return cgutils.for_range_slice(b, first, last, by, intp=_I64)

    def least(first: Any, second: Any) -> Any:
        return b.select(b.icmp_signed("<", first, second), first, second)

    def step(begin: Any, row: Any, g: Any) -> None:
        """One product for each sum."""
        there = b.add(b.mul(b.add(row, g), width), column)
        starts = [b.add(there, _I64(16 * q)) for q in range(vectors)]
        factors = [load_lanes(context, b, kinds[8], weight, start, 16) for start in starts]
        data, here = context.make_array(kinds[0])(context, b, values).data, b.add(begin, g)
        for p in range(places):
            one = splat(b, b.load(b.gep(data, [b.add(here, hops[p])])), 16)
            for q in range(vectors):
                b.store(_fused(b, _SINGLES, one, factors[q], b.load(short[p, q])), short[p, q])

    for pq in many:
        b.store(ir.Constant(_WHOLE, None), whole[pq])
    with counted(_I64(0), rows, tall) as (low, _), counted(_I64(0), groups, long) as (left, _):
        for pq in many:
            b.store(ir.Constant(_SINGLES, None), short[pq])
        with counted(low, least(b.add(low, tall), rows), _I64(1)) as (r, _):
            begin, row = b.add(at, b.mul(r, line)), b.mul(r, groups)
            with counted(left, least(b.add(left, long), groups), _I64(1)) as (g, _):
                step(begin, row, g)
        for pq in many:
            b.store(b.add(b.load(whole[pq]), b.fptosi(b.load(short[pq]), _WHOLE)), whole[pq])
    for p, q in many:
        place = b.add(b.add(to, b.mul(width, _I64(p))), _I64(16 * q))
        before = load_lanes(context, b, kinds[11], out, place, 16)
        store_lanes(context, b, kinds[11], out, place, b.add(before, b.load(whole[p, q])))


@overload(products_fixed_loops.sum_tile, jit_options={"forceinline": True})
def _sum_tile(
    places: Any, lanes: Any, values: Any, at: Any, hop: Any, rows: Any, line: Any, groups: Any, tall: Any, long: Any,
    weight: Any, column: Any, width: Any, out: Any, to: Any,
) -> Any:  # fmt: skip
    def call(
        places: Any, lanes: Any, values: Any, at: Any, hop: Any, rows: Any, line: Any, groups: Any, tall: Any,
        long: Any, weight: Any, column: Any, width: Any, out: Any, to: Any,
    ) -> Any:  # fmt: skip
        _tile(places, lanes, values, at, hop, rows, line, groups, tall, long, weight, column, width, out, to)

    return call


@overload(products_fixed_loops.most_places, jit_options={"forceinline": True})
def _most_places() -> Any:
    many, few = products_fixed_loops.PLACES[:2]
    most = many if wide_registers() else few

    def call() -> Any:
        return most

    return call


@intrinsic
def _settle(
    typing: Any, sums: Any, at: Any, shift: Any, error: Any, share: Any, least: Any, column: Any, out: Any, to: Any,
    doubts: Any, n: Any,
) -> Any:  # fmt: skip
    i = types.int64
    signature = i(sums, i, shift, error, types.float32, i, i, out, i, doubts, i)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        kinds, (sums, at, shift, error, share, least, column, out, to, doubts, n) = signature.args, arguments
        value = load_lanes(context, b, kinds[0], sums, at, 16)
        bits = load_lanes(context, b, kinds[2], shift, column, 16)
        one = splat(b, _I32(1), 16)
        lost = b.fmul(load_lanes(context, b, kinds[3], error, column, 16), splat(b, share, 16))
        off = b.add(b.fptosi(lost, _WHOLE), splat(b, b.trunc(least, _I32), 16))
        before = b.sub(bits, one)
        rounded = b.add(b.ashr(value, bits), b.and_(b.ashr(value, before), one))
        store_lanes(context, b, kinds[7], out, to, b.sitofp(rounded, _SINGLES))
        apart = b.and_(b.add(b.add(value, b.shl(one, before)), off), b.sub(b.shl(one, bits), one))
        mask = b.icmp_unsigned("<=", apart, b.add(off, off))
        found = b.bitcast(mask, ir.IntType(16))
        number = cgutils.alloca_once_value(b, n)
        with b.if_then(b.icmp_unsigned("!=", found, ir.IntType(16)(0)), likely=False):
            for j in range(16):  # without a branch: a wrong guess costs more than a write that is overwritten
                here = b.load(number)
                place = b.gep(context.make_array(kinds[9])(context, b, doubts).data, [here])
                b.store(b.add(to, _I64(j)), place)
                b.store(b.add(here, b.zext(b.extract_element(mask, _I32(j)), _I64)), number)
        return b.load(number)

    return signature, generate


@overload(products_fixed_loops.settle_block, jit_options={"forceinline": True})
def _settle_block(
    sums: Any, at: Any, shift: Any, error: Any, share: Any, least: Any, column: Any, out: Any, to: Any, doubts: Any,
    n: Any,
) -> Any:  # fmt: skip
    def call(
        sums: Any, at: Any, shift: Any, error: Any, share: Any, least: Any, column: Any, out: Any, to: Any,
        doubts: Any, n: Any,
    ) -> Any:  # fmt: skip
        return _settle(sums, at, shift, error, share, least, column, out, to, doubts, n)

    return call


@intrinsic
def _dot(typing: Any, number: Any, values: Any, at: Any, weight: Any, begin: Any) -> Any:
    i = types.int64
    signature = types.float64(i, values, i, weight, i)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        kinds, (number, values, at, weight, begin) = signature.args, arguments
        totals = [cgutils.alloca_once_value(b, ir.Constant(_DOUBLES, None)) for _ in range(4)]
        rest = cgutils.alloca_once_value(b, ir.Constant(_ONE, 0.0))

        def add(k: Any, total: Any) -> None:
            given = floating(b, load_lanes(context, b, kinds[1], values, b.add(at, k), 8), _DOUBLES)
            factors = floating(b, load_lanes(context, b, kinds[3], weight, b.add(begin, k), 8), _DOUBLES)
            b.store(_fused(b, _DOUBLES, given, factors, b.load(total)), total)

        wide, eights = b.and_(number, _I64(-32)), b.and_(number, _I64(-8))
        with cgutils.for_range_slice(b, _I64(0), wide, _I64(32), intp=_I64) as (k, _):
            for j, total in enumerate(totals):
                add(b.add(k, _I64(8 * j)), total)
        with cgutils.for_range_slice(b, wide, eights, _I64(8), intp=_I64) as (k, _):
            add(k, totals[0])
        with cgutils.for_range_slice(b, eights, number, _I64(1), intp=_I64) as (k, _):
            data = (context.make_array(kinds[j])(context, b, a).data for j, a in ((1, values), (3, weight)))
            pair = (b.load(b.gep(d, [b.add(s, k)])) for d, s in zip(data, (at, begin), strict=True))
            first, second = (v if v.type == _ONE else b.fpext(v, _ONE) for v in pair)
            b.store(b.fadd(b.load(rest), b.fmul(first, second)), rest)
        first, second, third, fourth = map(b.load, totals)
        together = b.fadd(b.fadd(first, second), b.fadd(third, fourth))
        found = b.load(rest)
        for j in range(8):
            found = b.fadd(found, b.extract_element(together, _I32(j)))
        return found

    return signature, generate


@overload(products_fixed_loops.dot, jit_options={"forceinline": True})
def _dot_product(number: Any, values: Any, at: Any, weight: Any, begin: Any) -> Any:
    def call(number: Any, values: Any, at: Any, weight: Any, begin: Any) -> Any:
        return _dot(number, values, at, weight, begin)

    return call


for _inner in products_fixed_loops.INNER:
    register_jitable(forceinline=True)(_inner)
