"""The vector instructions that stand for `compiled_vectors` in compiled loops, as LLVM's own vector types.

LLVM has them on every processor and splits them to the width of its registers. Each does the operations of the plain
function in its order for each value, without contraction or reassociation; sums of rows alone are added in fours.
"""

# Numba's decorators have no types.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload, register_jitable

from snntoolbox.engine.fast import compiled_loops, compiled_vectors, counts_loops, trial_loops

_I64 = ir.IntType(64)

POWERS = (1, 2, 4, 8, 16, 32)
"""Channels of which 64 bytes hold whole pairs of places."""


def _vector(context: Any, array: Any, lanes: int) -> Any:
    return ir.VectorType(context.get_value_type(array.dtype), lanes)


def pointer_to(context: Any, builder: Any, kind: Any, array: Any, at: Any, vector: Any = None) -> Any:
    """Where the value `at` of an array lies; as one of a vector if `vector` is given."""
    data = builder.gep(context.make_array(kind)(context, builder, array).data, [at])
    return data if vector is None else builder.bitcast(data, vector.as_pointer())


def load_lanes(context: Any, builder: Any, kind: Any, array: Any, at: Any, lanes: int) -> Any:
    """So many neighbouring values of an array, wherever they begin."""
    found = builder.load(pointer_to(context, builder, kind, array, at, _vector(context, kind, lanes)))
    found.align = kind.dtype.bitwidth // 8
    return found


def store_lanes(context: Any, builder: Any, kind: Any, array: Any, at: Any, value: Any) -> None:
    """A vector into an array, wherever it begins."""
    stored = builder.store(value, pointer_to(context, builder, kind, array, at, value.type))
    stored.align = kind.dtype.bitwidth // 8


def splat(builder: Any, value: Any, lanes: int) -> Any:
    """A vector of one value."""
    kind = ir.VectorType(value.type, lanes)
    undefined = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), lanes), None))


def floating(b: Any, values: Any, kind: Any) -> Any:
    """Values as floating numbers of a type that holds them."""
    if values.type == kind:
        return values
    return (b.sitofp if isinstance(values.type.element, ir.IntType) else b.fpext)(values, kind)


def _fire(lanes: int, mode: int) -> Any:
    @intrinsic
    def fire(
        typing: Any, potential: Any, at: Any, drive: Any, at_drive: Any, threshold: Any, at_threshold: Any,
        counts: Any, current: Any, at_current: Any, stride: Any, spikes: Any, at_spikes: Any, hop: Any, steps: Any,
        reset: Any,
    ) -> Any:  # fmt: skip
        i = types.int64
        signature = types.void(
            *(potential, i, drive, i, threshold, i, counts, current, i, i, spikes, i, i, i, potential.dtype)
        )

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            v, at, d, at_d, t, at_t, n, c, at_c, stride, z, at_z, hop, steps, reset = arguments

            def load(k: int, array: Any, place: Any) -> Any:
                return load_lanes(context, b, kinds[k], array, place, lanes)

            potential = cgutils.alloca_once_value(b, load(0, v, at))
            counts = cgutils.alloca_once_value(b, load(6, n, at))
            drive, threshold, reset = load(2, d, at_d), load(4, t, at_t), splat(b, reset, lanes)
            with cgutils.for_range(b, steps, intp=_I64) as loop:
                x = b.load(potential)
                if mode & 1:
                    current = load(7, c, b.add(at_c, b.mul(loop.index, stride)))
                    x = b.fadd(x, floating(b, current, x.type))
                x = b.fadd(x, drive)
                fired = b.fcmp_ordered(">=", x, threshold)
                spikes = b.zext(fired, _vector(context, kinds[10], lanes))
                store_lanes(context, b, kinds[10], z, b.add(at_z, b.mul(loop.index, hop)), spikes)
                b.store(b.add(b.load(counts), b.zext(fired, _vector(context, kinds[6], lanes))), counts)
                b.store(b.select(fired, reset if mode & 2 else b.fsub(x, threshold), x), potential)
            store_lanes(context, b, kinds[0], v, at, b.load(potential))
            store_lanes(context, b, kinds[6], n, at, b.load(counts))
            return context.get_dummy_value()

        return signature, generate

    return fire


def _gather(b: Any, add: Any, row: Any, first: Any, last: Any, accumulator: Any) -> None:
    """Add the rows of the events `first` to `last` - 1 to `accumulator`, four at a time."""
    fours = b.ashr(b.sub(last, first), _I64(2))
    with cgutils.for_range(b, fours, intp=_I64) as loop:
        e = b.add(first, b.shl(loop.index, _I64(2)))
        r = [row(b.add(e, _I64(k))) for k in range(4)]
        b.store(add(b.load(accumulator), add(add(r[0], r[1]), add(r[2], r[3]))), accumulator)
    rest = b.add(first, b.shl(fours, _I64(2)))
    with cgutils.for_range_slice(b, rest, last, _I64(1), intp=_I64) as (e, _):
        b.store(add(b.load(accumulator), row(e)), accumulator)


def _rows(lanes: int, weighted: int) -> Any:
    @intrinsic
    def sum_rows(
        typing: Any, out: Any, at: Any, weight: Any, column: Any, width: Any, rows: Any, factors: Any, number: Any,
        most: Any,
    ) -> Any:  # fmt: skip
        i = types.int64
        signature = types.void(out, i, weight, i, i, rows, factors, i, i)

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            out, at, weight, column, width, rows, factors, number, most = arguments
            narrow = _vector(context, kinds[2], lanes)
            whole = isinstance(narrow.element, ir.IntType)
            short = whole and narrow.element.width == 16
            wide = ir.VectorType(ir.IntType(32), lanes) if short else narrow
            add = b.add if whole else b.fadd
            total, part = (cgutils.alloca_once_value(b, ir.Constant(k, None)) for k in (wide, narrow))

            def row(e: Any) -> Any:
                place = b.mul(b.zext(b.load(pointer_to(context, b, kinds[5], rows, e)), _I64), width)
                found = load_lanes(context, b, kinds[2], weight, b.add(place, column), lanes)
                if not weighted:
                    return found
                byte = b.load(pointer_to(context, b, kinds[6], factors, e))
                factor = b.zext(byte, narrow.element) if whole else b.uitofp(byte, narrow.element)
                return (b.mul if whole else b.fmul)(found, splat(b, factor, lanes))

            b.store(ir.Constant(wide, None), total)
            if short:
                with cgutils.for_range_slice(b, _I64(0), number, most, intp=_I64) as (low, _):
                    b.store(ir.Constant(narrow, None), part)
                    high = b.add(low, most)
                    _gather(b, add, row, low, b.select(b.icmp_signed("<", high, number), high, number), part)
                    b.store(b.add(b.load(total), b.sext(b.load(part), wide)), total)
            else:
                _gather(b, add, row, _I64(0), number, total)
            found, given = b.load(total), _vector(context, kinds[0], lanes)
            store_lanes(context, b, kinds[0], out, at, floating(b, found, given))
            return context.get_dummy_value()

        return signature, generate

    return sum_rows


def _add(lanes: int) -> Any:
    @intrinsic
    def add(typing: Any, total: Any, at: Any, gain: Any, at_gain: Any, values: Any, begin: Any) -> Any:
        i = types.int64
        signature = types.void(total, i, gain, i, values, i)

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            kinds, (total, at, gain, at_gain, values, begin) = signature.args, arguments
            wide = _vector(context, kinds[0], lanes)
            given = b.uitofp(load_lanes(context, b, kinds[4], values, begin, lanes), wide)
            product = b.fmul(load_lanes(context, b, kinds[2], gain, at_gain, lanes), given)
            added = b.fadd(load_lanes(context, b, kinds[0], total, at, lanes), product)
            store_lanes(context, b, kinds[0], total, at, added)
            return context.get_dummy_value()

        return signature, generate

    return add


def _copy(lanes: int) -> Any:
    @intrinsic
    def copy(typing: Any, source: Any, at: Any, shift: Any, target: Any, to: Any) -> Any:
        i = types.int64
        signature = types.void(source, i, i, target, i)

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            source, at, shift, target, to = arguments
            found = load_lanes(context, b, kinds[0], source, at, lanes)
            added = b.add(found, splat(b, b.trunc(shift, found.type.element), lanes))
            store_lanes(context, b, kinds[3], target, to, added)
            return context.get_dummy_value()

        return signature, generate

    return copy


def _list(lanes: int, weighted: int) -> Any:
    @intrinsic
    def listed(typing: Any, values: Any, at: Any, base: Any, index: Any, value: Any, n: Any) -> Any:
        i = types.int64
        signature = i(values, i, i, index, value, i)

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            values, at, base, index, value, n = arguments
            found = load_lanes(context, b, kinds[0], values, at, lanes)
            mask = b.icmp_unsigned("!=", found, ir.Constant(found.type, None))
            places = _vector(context, kinds[3], lanes)
            begin = splat(b, b.trunc(base, places.element), lanes)
            here = b.add(ir.Constant(places, [*range(lanes)]), begin)
            store_lanes(context, b, kinds[3], index, n, pack(context, b, here, mask))
            if weighted:
                store_lanes(context, b, kinds[4], value, n, pack(context, b, found, mask))
            return b.add(n, b.zext(b.ctpop(b.bitcast(mask, ir.IntType(lanes))), _I64))

        return signature, generate

    def pack(context: Any, b: Any, vector: Any, mask: Any) -> Any:
        kind = vector.type
        name = f"llvm.experimental.vector.compress.v{lanes}i{kind.element.width}"
        function = cgutils.get_or_insert_function(b.module, ir.FunctionType(kind, [kind, mask.type, kind]), name)
        return b.call(function, [vector, mask, ir.Constant(kind, ir.Undefined)])

    return listed


@intrinsic
def _pairs(typing: Any, channels: Any, values: Any, above: Any, below: Any, out: Any, to: Any) -> Any:
    i = types.int64
    signature = types.void(i, values, i, i, out, i)

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        kinds, (channels, values, above, below, out, to) = signature.args, arguments
        total = b.add(*(load_lanes(context, b, kinds[1], values, at, 64) for at in (above, below)))
        undefined, indices = ir.Constant(total.type, ir.Undefined), ir.VectorType(ir.IntType(32), 32)
        for c in POWERS:
            with b.if_then(b.icmp_signed("==", channels, _I64(c))):
                first = [j // c * 2 * c + j % c for j in range(32)]
                even, odd = (
                    b.shuffle_vector(total, undefined, ir.Constant(indices, [j + shift for j in first]))
                    for shift in (0, c)
                )
                store_lanes(context, b, kinds[4], out, to, b.add(even, odd))
        return context.get_dummy_value()

    return signature, generate


@overload(compiled_vectors.sum_pairs, jit_options={"forceinline": True})
def _sum_pairs(channels: Any, values: Any, above: Any, below: Any, out: Any, to: Any) -> Any:
    def call(channels: Any, values: Any, above: Any, below: Any, out: Any, to: Any) -> Any:
        _pairs(channels, values, above, below, out, to)

    return call


@overload(compiled_vectors.fire_block, prefer_literal=True, jit_options={"forceinline": True})
def _fire_block(
    lanes: Any, mode: Any, potential: Any, at: Any, drive: Any, at_drive: Any, threshold: Any, at_threshold: Any,
    counts: Any, current: Any, at_current: Any, stride: Any, spikes: Any, at_spikes: Any, hop: Any, steps: Any,
    reset: Any,
) -> Any:  # fmt: skip
    steady, given, steady_to, given_to = (_fire(lanes.literal_value, m) for m in range(4))

    def call(
        lanes: Any, mode: Any, potential: Any, at: Any, drive: Any, at_drive: Any, threshold: Any, at_threshold: Any,
        counts: Any, current: Any, at_current: Any, stride: Any, spikes: Any, at_spikes: Any, hop: Any, steps: Any,
        reset: Any,
    ) -> Any:  # fmt: skip
        if mode == 0:
            steady(potential, at, drive, at_drive, threshold, at_threshold, counts,
                   current, at_current, stride, spikes, at_spikes, hop, steps, reset)  # fmt: skip
        elif mode == 1:
            given(potential, at, drive, at_drive, threshold, at_threshold, counts,
                  current, at_current, stride, spikes, at_spikes, hop, steps, reset)  # fmt: skip
        elif mode == 2:
            steady_to(potential, at, drive, at_drive, threshold, at_threshold, counts,
                      current, at_current, stride, spikes, at_spikes, hop, steps, reset)  # fmt: skip
        else:
            given_to(potential, at, drive, at_drive, threshold, at_threshold, counts,
                     current, at_current, stride, spikes, at_spikes, hop, steps, reset)  # fmt: skip

    return call


@overload(compiled_vectors.sum_rows, prefer_literal=True, jit_options={"forceinline": True})
def _sum_rows(
    lanes: Any, weighted: Any, out: Any, at: Any, weight: Any, column: Any, width: Any, rows: Any, factors: Any,
    number: Any, most: Any,
) -> Any:  # fmt: skip
    plain, times = _rows(lanes.literal_value, 0), _rows(lanes.literal_value, 1)

    def call(
        lanes: Any, weighted: Any, out: Any, at: Any, weight: Any, column: Any, width: Any, rows: Any, factors: Any,
        number: Any, most: Any,
    ) -> Any:  # fmt: skip
        if weighted:
            times(out, at, weight, column, width, rows, factors, number, most)
        else:
            plain(out, at, weight, column, width, rows, factors, number, most)

    return call


@overload(compiled_vectors.add_block, prefer_literal=True, jit_options={"forceinline": True})
def _add_block(lanes: Any, total: Any, at: Any, gain: Any, at_gain: Any, values: Any, begin: Any) -> Any:
    vector = _add(lanes.literal_value)

    def call(lanes: Any, total: Any, at: Any, gain: Any, at_gain: Any, values: Any, begin: Any) -> Any:
        vector(total, at, gain, at_gain, values, begin)

    return call


@overload(compiled_vectors.copy_block, prefer_literal=True, jit_options={"forceinline": True})
def _copy_block(lanes: Any, source: Any, at: Any, shift: Any, target: Any, to: Any) -> Any:
    vector = _copy(lanes.literal_value)

    def call(lanes: Any, source: Any, at: Any, shift: Any, target: Any, to: Any) -> Any:
        vector(source, at, shift, target, to)

    return call


@overload(compiled_vectors.list_block, prefer_literal=True, jit_options={"forceinline": True})
def _list_block(lanes: Any, weighted: Any, values: Any, at: Any, base: Any, index: Any, value: Any, n: Any) -> Any:
    plain, both = _list(lanes.literal_value, 0), _list(lanes.literal_value, 1)

    def call(lanes: Any, weighted: Any, values: Any, at: Any, base: Any, index: Any, value: Any, n: Any) -> Any:
        if weighted:
            return both(values, at, base, index, value, n)
        return plain(values, at, base, index, value, n)

    return call


for _inner in (*compiled_loops.INNER, *counts_loops.INNER, *trial_loops.INNER):
    register_jitable(forceinline=True)(_inner)
