"""The vector instructions that stand for the windows of trees of max pooling, see `neurons_tree_loops`."""

# Numba's decorators have no types.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload, register_jitable

from snntoolbox.engine.fast import neurons_tree_loops
from snntoolbox.engine.fast.compiled_intrinsics import floating, load_lanes, pointer_to, splat, store_lanes

_I64 = ir.IntType(64)

_CARRY = (
    "form", "steps", "train", "origin", "hop", "gains", "at_gains", "channels", "levels", "drives", "at", "volts",
    "fired", "spikes", "begin", "hops",
)  # fmt: skip
_TALLY = (
    "form", "train", "origin", "gains", "at_gains", "channels", "levels", "starts", "at", "total", "out", "begin",
)  # fmt: skip


class _Window:
    """What both loops do with a window of a form: values of its taps, sums of its stages."""

    def __init__(
        self, context: Any, b: Any, kinds: dict[str, Any], given: dict[str, Any], lanes: int, form: int
    ) -> None:
        self.context, self.b, self.kinds, self.given, self.lanes = context, b, kinds, given, lanes
        self.inputs: int = neurons_tree_loops.FORMS[form][0]
        self.stages: tuple[tuple[int, ...], ...] = neurons_tree_loops.FORMS[form][1]
        self.type = ir.VectorType(context.get_value_type(kinds["gains"].dtype), lanes)
        self.whole = isinstance(self.type.element, ir.IntType)
        number, self.gains = 0, list[list[tuple[int, Any]]]()
        for which in self.stages:
            self.gains.append([(k, self.apart("gains", "at_gains", number + i)) for i, k in enumerate(which)])
            number += len(which)
        self.origins = [self.number("origin", e) for e in range(self.inputs)]
        self.begins = [self.number("begin", s) for s in range(len(self.stages))]

    def number(self, name: str, at: int) -> Any:
        """One value of an array of indices."""
        return self.b.load(pointer_to(self.context, self.b, self.kinds[name], self.given[name], _I64(at)))

    def load(self, name: str, at: Any) -> Any:
        return load_lanes(self.context, self.b, self.kinds[name], self.given[name], at, self.lanes)

    def store(self, name: str, at: Any, value: Any) -> None:
        store_lanes(self.context, self.b, self.kinds[name], self.given[name], at, value)

    def apart(self, name: str, at: str, index: int) -> Any:
        """A vector of parameters, the channels of the one numbered so."""
        return self.load(name, self.b.add(self.given[at], self.b.mul(_I64(index), self.given["channels"])))

    def widened(self, values: Any) -> Any:
        """Bytes or bits in the type of sums."""
        return self.b.zext(values, self.type) if self.whole else self.b.uitofp(values, self.type)

    def taps(self, shift: Any) -> list[Any]:
        """The values of all taps, whose bytes begin `shift` behind their origins."""
        return [self.widened(self.load("train", self.b.add(origin, shift))) for origin in self.origins]

    def summed(self, stage: int, values: list[Any]) -> Any:
        """The sum of a stage, one term after the other."""
        add, times = (self.b.add, self.b.mul) if self.whole else (self.b.fadd, self.b.fmul)
        total = ir.Constant(self.type, None)
        for k, gain in self.gains[stage]:
            total = add(total, times(gain, values[k]))
        return total


def _carried(window: _Window) -> None:
    """The instructions of `carry`: potentials and counts stay in registers."""
    b, given, number = window.b, window.given, len(window.stages)
    add, minus = (b.add, b.sub) if window.whole else (b.fadd, b.fsub)
    levels, drives = ([window.apart(name, "at", s) for s in range(number)] for name in ("levels", "drives"))
    places = [_I64(s * window.lanes) for s in range(number)]
    volts, fired = (
        [cgutils.alloca_once_value(b, window.load(name, p)) for p in places] for name in ("volts", "fired")
    )
    hops = [window.number("hops", s) for s in range(number)]
    with cgutils.for_range(b, given["steps"], intp=_I64) as time:
        values = window.taps(b.mul(time.index, given["hop"]))
        for s in range(number):
            x = add(add(b.load(volts[s]), window.summed(s, values)), drives[s])
            sent = b.icmp_signed(">=", x, levels[s]) if window.whole else b.fcmp_ordered(">=", x, levels[s])
            place = b.add(window.begins[s], b.mul(time.index, hops[s]))
            window.store("spikes", place, b.zext(sent, ir.VectorType(ir.IntType(8), window.lanes)))
            total = b.load(fired[s])
            b.store(b.add(total, b.zext(sent, total.type)), fired[s])
            b.store(b.select(sent, minus(x, levels[s]), x), volts[s])
            values.append(window.widened(sent))
    for p, potential, total in zip(places, volts, fired, strict=True):
        window.store("volts", p, b.load(potential))
        window.store("fired", p, b.load(total))


def _tallied(window: _Window) -> None:
    """The instructions of `tally`: sums are floating numbers here."""
    b, values = window.b, window.taps(_I64(0))
    low = ir.Constant(window.type, None)
    high = splat(b, b.sitofp(window.given["total"], window.type.element), window.lanes)
    for s in range(len(window.stages)):
        found = b.fadd(window.summed(s, values), window.apart("starts", "at", s))
        found = b.fdiv(found, window.apart("levels", "at", s))
        found = b.select(b.fcmp_ordered(">", found, low), found, low)
        found = b.select(b.fcmp_ordered("<", found, high), found, high)
        whole = b.fptosi(found, ir.VectorType(ir.IntType(32), window.lanes))
        window.store("out", window.begins[s], b.trunc(whole, ir.VectorType(ir.IntType(8), window.lanes)))
        values.append(b.sitofp(whole, window.type))


def _take(lanes: int) -> Any:
    @intrinsic
    def take(typing: Any, potential: Any, at: Any, volts: Any, fired: Any, to: Any) -> Any:
        i = types.int64

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            kinds, (potential, at, volts, fired, to) = signature.args, arguments
            found = load_lanes(context, b, kinds[0], potential, at, lanes)
            kind = ir.VectorType(context.get_value_type(kinds[2].dtype), lanes)
            short = isinstance(kind.element, ir.IntType)
            store_lanes(context, b, kinds[2], volts, to, b.fptosi(found, kind) if short else found)
            none = ir.VectorType(context.get_value_type(kinds[3].dtype), lanes)
            store_lanes(context, b, kinds[3], fired, to, ir.Constant(none, None))
            return context.get_dummy_value()

        return types.void(potential, i, volts, fired, i), generate

    return take


def _keep(lanes: int) -> Any:
    @intrinsic
    def keep(typing: Any, volts: Any, fired: Any, at: Any, potential: Any, counts: Any, to: Any) -> Any:
        i = types.int64

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            kinds, (volts, fired, at, potential, counts, to) = signature.args, arguments
            found = load_lanes(context, b, kinds[0], volts, at, lanes)
            kind = ir.VectorType(context.get_value_type(kinds[3].dtype), lanes)
            store_lanes(context, b, kinds[3], potential, to, floating(b, found, kind))
            before = load_lanes(context, b, kinds[4], counts, to, lanes)
            new = load_lanes(context, b, kinds[1], fired, at, lanes)
            wide = new if new.type == before.type else b.sext(new, before.type)
            store_lanes(context, b, kinds[4], counts, to, b.add(before, wide))
            return context.get_dummy_value()

        return types.void(volts, fired, i, potential, counts, i), generate

    return keep


@overload(neurons_tree_loops.take_state, prefer_literal=True, jit_options={"forceinline": True})
def _take_state(lanes: Any, potential: Any, at: Any, volts: Any, fired: Any, to: Any) -> Any:
    vectors = _take(lanes.literal_value)

    def call(lanes: Any, potential: Any, at: Any, volts: Any, fired: Any, to: Any) -> Any:
        vectors(potential, at, volts, fired, to)

    return call


@overload(neurons_tree_loops.keep_state, prefer_literal=True, jit_options={"forceinline": True})
def _keep_state(lanes: Any, volts: Any, fired: Any, at: Any, potential: Any, counts: Any, to: Any) -> Any:
    vectors = _keep(lanes.literal_value)

    def call(lanes: Any, volts: Any, fired: Any, at: Any, potential: Any, counts: Any, to: Any) -> Any:
        vectors(volts, fired, at, potential, counts, to)

    return call


def _vectors(lanes: int, names: tuple[str, ...], write: Any) -> Any:
    """The intrinsic that takes a tuple of these arguments."""

    @intrinsic
    def made(typing: Any, everything: Any) -> Any:
        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            given = {name: b.extract_value(arguments[0], k) for k, name in enumerate(names)}
            kinds = dict(zip(names, everything.types, strict=True))
            for form in range(len(neurons_tree_loops.FORMS)):
                with b.if_then(b.icmp_signed("==", given["form"], _I64(form))):
                    write(_Window(context, b, kinds, given, lanes, form))
            return context.get_dummy_value()

        return types.void(everything), generate

    return made


@overload(neurons_tree_loops.carry, prefer_literal=True, jit_options={"forceinline": True})
def _carry(
    lanes: Any, form: Any, steps: Any, train: Any, origin: Any, hop: Any, gains: Any, at_gains: Any, channels: Any,
    levels: Any, drives: Any, at: Any, volts: Any, fired: Any, spikes: Any, begin: Any, hops: Any,
) -> Any:  # fmt: skip
    vectors = _vectors(lanes.literal_value, _CARRY, _carried)

    def call(
        lanes: Any, form: Any, steps: Any, train: Any, origin: Any, hop: Any, gains: Any, at_gains: Any, channels: Any,
        levels: Any, drives: Any, at: Any, volts: Any, fired: Any, spikes: Any, begin: Any, hops: Any,
    ) -> Any:  # fmt: skip
        vectors((form, steps, train, origin, hop, gains, at_gains, channels, levels, drives, at, volts, fired, spikes,
                 begin, hops))  # fmt: skip

    return call


@overload(neurons_tree_loops.tally, prefer_literal=True, jit_options={"forceinline": True})
def _tally(
    lanes: Any, form: Any, train: Any, origin: Any, gains: Any, at_gains: Any, channels: Any, levels: Any, starts: Any,
    at: Any, total: Any, out: Any, begin: Any,
) -> Any:  # fmt: skip
    vectors = _vectors(lanes.literal_value, _TALLY, _tallied)

    def call(
        lanes: Any, form: Any, train: Any, origin: Any, gains: Any, at_gains: Any, channels: Any, levels: Any,
        starts: Any, at: Any, total: Any, out: Any, begin: Any,
    ) -> Any:  # fmt: skip
        vectors((form, train, origin, gains, at_gains, channels, levels, starts, at, total, out, begin))

    return call


for _inner in neurons_tree_loops.INNER:
    register_jitable(forceinline=True)(_inner)
