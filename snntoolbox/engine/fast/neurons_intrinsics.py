"""The vector instructions that stand for neurons which single bytes reach, see `compiled_vectors.point_block`."""

# Numba's decorators have no types.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload, register_jitable

from snntoolbox.engine.fast import compiled_vectors, neurons_loops
from snntoolbox.engine.fast.compiled_intrinsics import floating, load_lanes, pointer_to, splat, store_lanes

_I64 = ir.IntType(64)

_MOST = 4
"""Trains of bytes."""


def _fire(lanes: int, blocks: int) -> Any:
    """`point_block`, in one form for all modes and numbers of trains: more would take long to compile."""

    @intrinsic
    def fire(
        typing: Any, mode: Any, potential: Any, at: Any, drive: Any, at_drive: Any, threshold: Any, at_threshold: Any,
        counts: Any, current: Any, at_current: Any, apart: Any, stride: Any, spikes: Any, at_spikes: Any, hop: Any,
        steps: Any, reset: Any, points: Any, place: Any, further: Any, channels: Any, channel: Any, unit: Any,
        batch: Any,
    ) -> Any:  # fmt: skip
        i = types.int64
        signature = types.void(
            i, potential, i, drive, i, threshold, i, counts, current, i, i, i, spikes, i, i, i, potential.dtype, points,
            i, i, i, i, i, i,
        )  # fmt: skip

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            _write(context, b, signature.args, arguments, lanes, blocks)
            return context.get_dummy_value()

        return signature, generate

    return fire


def _write(context: Any, b: Any, kinds: Any, arguments: Any, lanes: int, blocks: int) -> None:
    """The instructions of all steps; potentials, counts, drives and thresholds of the blocks stay in registers."""
    mode, v, at, d, at_d, t, at_t, n, c, at_c, *rest = arguments
    apart, stride, z, at_z, hop, steps, reset, points, place, further, channels, channel, unit, batch = rest
    over = b.icmp_signed("!=", further, _I64(0))  # places, or channels of one
    between, currents = b.select(over, channels, _I64(lanes)), b.select(over, apart, _I64(lanes))

    def load(k: int, array: Any, place: Any) -> Any:
        return load_lanes(context, b, kinds[k], array, place, lanes)

    reset, state = splat(b, reset, lanes), []
    trains = _Trains(context, b, kinds[17], points, unit, batch, lanes, blocks)
    after = _After(b, mode, reset)
    for k in range(blocks):
        j = b.mul(between, _I64(k))
        held = [cgutils.alloca_once_value(b, load(a, given, b.add(at, j))) for a, given in ((1, v), (7, n))]
        state.append((j, *held, load(3, d, b.add(at_d, j)), load(5, t, b.add(at_t, j))))
        first = b.select(over, channel, b.add(channel, j))
        trains.begin(k, b.add(place, b.mul(further, _I64(k))), channels, first)
    sums = [cgutils.alloca_once(b, reset.type) for _ in state]
    with cgutils.for_range(b, steps, intp=_I64) as loop:
        for total in sums:
            b.store(ir.Constant(reset.type, None), total)
        with b.if_then(b.icmp_signed("!=", b.and_(mode, _I64(1)), _I64(0))):
            for k, total in enumerate(sums):
                begin = b.add(b.add(at_c, b.mul(currents, _I64(k))), b.mul(loop.index, stride))
                b.store(floating(b, load(8, c, begin), reset.type), total)
        trains.add(sums)
        for total, (j, potential, counts, drive, threshold) in zip(sums, state, strict=True):
            x = b.fadd(b.fadd(b.load(potential), b.load(total)), drive)
            fired = b.fcmp_ordered(">=", x, threshold)
            sent = b.zext(fired, ir.VectorType(ir.IntType(8), lanes))
            store_lanes(context, b, kinds[12], z, b.add(b.add(at_z, j), b.mul(loop.index, hop)), sent)
            b.store(b.add(b.load(counts), b.zext(fired, b.load(counts).type)), counts)
            b.store(b.select(fired, after(x, threshold), x), potential)
    for j, potential, counts, *_ in state:
        store_lanes(context, b, kinds[1], v, b.add(at, j), b.load(potential))
        store_lanes(context, b, kinds[7], n, b.add(at, j), b.load(counts))


class _After:
    """The potential after a spike, without a branch: (V or 0) - (threshold or -reset)."""

    def __init__(self, b: Any, mode: Any, reset: Any) -> None:
        self.b, self.to = b, b.icmp_signed("!=", b.and_(mode, _I64(2)), _I64(0))
        bits, lanes = 64 if isinstance(reset.type.element, ir.DoubleType) else 32, reset.type.count
        self.kind = ir.VectorType(ir.IntType(bits), lanes)
        self.kept = splat(b, b.sext(b.not_(self.to), self.kind.element), lanes)
        self.reset = b.fsub(ir.Constant(reset.type, [-0.0] * lanes), reset)

    def __call__(self, x: Any, threshold: Any) -> Any:
        kept = self.b.bitcast(self.b.and_(self.b.bitcast(x, self.kind), self.kept), x.type)
        return self.b.fsub(kept, self.b.select(self.to, self.reset, threshold))


class _Trains:
    """What single bytes bring: gains and where bytes begin on the stack, for each train and block."""

    def __init__(
        self, context: Any, b: Any, kinds: Any, points: Any, unit: Any, batch: Any, lanes: int, blocks: int
    ) -> None:
        self.context, self.b, self.kinds, self.unit, self.batch = context, b, kinds, unit, batch
        self.lanes, self.blocks = lanes, blocks
        self.terms, self.n, self.places, self.gains, self.starts, self.sizes, *self.bytes = (
            b.extract_value(points, k) for k in range(6 + _MOST)
        )
        self.wide = ir.VectorType(context.get_value_type(kinds[3].dtype), lanes)
        byte = ir.IntType(8).as_pointer()
        self.gain, self.here, self.hops = (
            cgutils.alloca_once(b, kind, size=_I64(_MOST * many))
            for kind, many in ((self.wide, blocks), (byte, blocks), (_I64, 1))
        )

    def begin(self, block: int, place: Any, channels: Any, channel: Any) -> None:
        """Keep what is read of a block: `channel` and its neighbours at `place`."""
        b, first = self.b, self.b.add(self.b.mul(place, channels), channel)
        for k, train in enumerate(self.bytes):
            with b.if_then(b.icmp_signed(">", self.terms, _I64(k))):
                gains = b.add(b.mul(self.n, _I64(k)), first)
                gain = load_lanes(self.context, b, self.kinds[3], self.gains, gains, self.lanes)
                start, size = self._read(4, self.starts, b.add(b.mul(self.places, _I64(k)), place)), self._size(k)
                begin = b.add(b.add(b.mul(self.unit, size), start), channel)
                here = pointer_to(self.context, b, self.kinds[6 + k], train, begin)
                at = _I64(k * self.blocks + block)
                b.store(gain, b.gep(self.gain, [at]))
                b.store(here, b.gep(self.here, [at]))
                b.store(b.mul(self.batch, size), b.gep(self.hops, [_I64(k)]))

    def _size(self, k: int) -> Any:
        return self._read(5, self.sizes, _I64(k))

    def _read(self, kind: int, array: Any, place: Any) -> Any:
        return self.b.load(pointer_to(self.context, self.b, self.kinds[kind], array, place))

    def add(self, sums: list[Any]) -> None:
        """Add gains times bytes to the sums of all blocks, and go to the next step."""
        b, narrow = self.b, ir.VectorType(ir.IntType(8), self.lanes).as_pointer()
        with cgutils.for_range(b, self.terms, intp=_I64) as loop:
            hop, first = b.load(b.gep(self.hops, [loop.index])), b.mul(loop.index, _I64(self.blocks))
            for block, total in enumerate(sums):
                at = b.add(first, _I64(block))
                place = b.gep(self.here, [at])
                here = b.load(place)
                found = b.load(b.bitcast(here, narrow))
                found.align = 1
                product = b.fmul(b.load(b.gep(self.gain, [at])), b.uitofp(found, self.wide))
                b.store(b.fadd(b.load(total), product), total)
                b.store(b.gep(here, [hop]), place)


@overload(compiled_vectors.point_block, prefer_literal=True, jit_options={"forceinline": True})
def _point_block(
    lanes: Any, blocks: Any, mode: Any, potential: Any, at: Any, drive: Any, at_drive: Any, threshold: Any,
    at_threshold: Any, counts: Any, current: Any, at_current: Any, apart: Any, stride: Any, spikes: Any, at_spikes: Any,
    hop: Any, steps: Any, reset: Any, points: Any, place: Any, further: Any, channels: Any, channel: Any, unit: Any,
    batch: Any,
) -> Any:  # fmt: skip
    vectors = _fire(lanes.literal_value, blocks.literal_value)

    def call(
        lanes: Any, blocks: Any, mode: Any, potential: Any, at: Any, drive: Any, at_drive: Any, threshold: Any,
        at_threshold: Any, counts: Any, current: Any, at_current: Any, apart: Any, stride: Any, spikes: Any,
        at_spikes: Any, hop: Any, steps: Any, reset: Any, points: Any, place: Any, further: Any, channels: Any,
        channel: Any, unit: Any, batch: Any,
    ) -> Any:  # fmt: skip
        vectors(mode, potential, at, drive, at_drive, threshold, at_threshold, counts, current, at_current, apart,
                stride, spikes, at_spikes, hop, steps, reset, points, place, further, channels, channel, unit,
                batch)  # fmt: skip

    return call


for _inner in neurons_loops.INNER:
    register_jitable(forceinline=True)(_inner)
for _outer in neurons_loops.APART:
    register_jitable(_outer)
