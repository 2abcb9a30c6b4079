"""The vector instructions that stand for the functions of `events_spread_loops` in compiled loops."""

# Numba's decorators have no types.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload, register_jitable

from snntoolbox.engine.fast import events_spread_loops
from snntoolbox.engine.fast.compiled_intrinsics import load_lanes, pointer_to, splat, store_lanes

_I64 = ir.IntType(64)


_SIDE = events_spread_loops.SIDE


def _place(lanes: int, weighted: bool) -> Any:
    """`add_place` for so many filters: all its sums stay in registers, of what processors have."""

    @intrinsic
    def add(
        typing: Any, sums: Any, at: Any, line: Any, ring: Any, weight: Any, rows: Any, index: Any,
        value: Any, first: Any, last: Any,
    ) -> Any:  # fmt: skip
        i = types.int64
        signature = types.void(sums, i, i, i, weight, rows, index, value, i, i)

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            sums, at, line, ring, weight, *_, first, last = arguments
            total = ir.VectorType(context.get_value_type(kinds[0].dtype), lanes)
            whole = isinstance(total.element, ir.IntType)
            accumulators = [cgutils.alloca_once(b, total) for _ in range(_SIDE * _SIDE)]

            def read(k: int, place: Any) -> Any:
                return b.load(pointer_to(context, b, kinds[k], arguments[k], place))

            def product(source: Any, factor: Any) -> Any:
                found = load_lanes(context, b, kinds[4], weight, source, lanes)
                if whole and found.type != total:
                    found = b.sext(found, total)
                return (b.mul if whole else b.fmul)(found, factor) if weighted else found

            places = []
            for tap in range(_SIDE):
                row = b.sub(ring, _I64(tap))
                row = b.select(b.icmp_signed("<", row, _I64(0)), b.add(row, _I64(_SIDE)), row)
                place = b.add(at, b.mul(row, line))
                places += [b.add(place, _I64(j * lanes)) for j in range(_SIDE)]
            for begin, accumulator in zip(places, accumulators, strict=True):
                b.store(load_lanes(context, b, kinds[0], sums, begin, lanes), accumulator)
            with cgutils.for_range_slice(b, first, last, _I64(1), intp=_I64) as (event, _):
                source, factor = b.zext(read(5, b.zext(read(6, event), _I64)), _I64), None
                if weighted:
                    factor = splat(b, (b.zext if whole else b.uitofp)(read(7, event), total.element), lanes)
                for j, accumulator in enumerate(accumulators):
                    found = product(b.add(source, _I64(j * lanes)), factor)
                    b.store((b.add if whole else b.fadd)(b.load(accumulator), found), accumulator)
            for begin, accumulator in zip(places, accumulators, strict=True):
                store_lanes(context, b, kinds[0], sums, begin, b.load(accumulator))
            return context.get_dummy_value()

        return signature, generate

    return add


@overload(events_spread_loops.add_place, jit_options={"forceinline": True})
def _add_place(
    size: Any, weighted: Any, sums: Any, at: Any, line: Any, ring: Any, weight: Any, rows: Any, index: Any,
    value: Any, first: Any, last: Any,
) -> Any:  # fmt: skip
    narrow, wide, narrow_times, wide_times = (_place(n, w) for w in (False, True) for n in events_spread_loops.SIZES)

    def call(
        size: Any, weighted: Any, sums: Any, at: Any, line: Any, ring: Any, weight: Any, rows: Any, index: Any,
        value: Any, first: Any, last: Any,
    ) -> Any:  # fmt: skip
        if size == 16:
            if weighted:
                narrow_times(sums, at, line, ring, weight, rows, index, value, first, last)
            else:
                narrow(sums, at, line, ring, weight, rows, index, value, first, last)
        elif weighted:
            wide_times(sums, at, line, ring, weight, rows, index, value, first, last)
        else:
            wide(sums, at, line, ring, weight, rows, index, value, first, last)

    return call


for _inner in events_spread_loops.INNER:
    register_jitable(forceinline=True)(_inner)
