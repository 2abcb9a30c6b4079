"""What the parts of neurons are in Brian2: a line of `PARTS` for each that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from snntoolbox.ir.adaptive import RateThreshold, SubtractSent, ThresholdSpikes
from snntoolbox.ir.clamping import Clamped
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.part import Part
from snntoolbox.ir.parts import (
    BinarySpikes,
    ConstantThreshold,
    Delta,
    DigitWindow,
    FiringWindow,
    FirstSpikeWindow,
    GradedSpikes,
    Leak,
    Modulo,
    PerfectIntegrator,
    RecurringWindow,
    RefractoryPeriod,
    Saturation,
    Subtract,
    ToPotential,
)
from snntoolbox.ir.payloads import ResidueSpikes
from snntoolbox.ir.synapses import Exponential
from snntoolbox.ir.tabulating import Table
from snntoolbox.ir.uneven_digits import UnevenDigitWindow


@dataclass(frozen=True, kw_only=True)
class Code:
    """Pieces of Brian2's code that a part brings with it, or all parts together; empty for none.

    begin: statements before a step. latching: statements before the currents of a step, when its weight is known.
    sums: what makes its current of two factors.
    decayed: what becomes of v without any current. awake: when currents and spikes count. window: the own steps
    first ... last - 1 in which alone a neuron may fire. weight: what currents, thresholds
    and spikes count in the own step `own`. fires: statements that set `fired` to the value of a spike, 0 for none,
    where it is not always 1. reset: statements after a spike. recurring: windows that recur, before each of which v
    begins anew. clamped: steps in which v is held. table: what v becomes when the window opens. kept: statements at the
    end of a step. adapts: what theta follows.
    """

    begin: str = ""
    latching: str = ""
    sums: Latched | None = None
    decayed: str = ""
    awake: str = ""
    window: tuple[int, int] | None = None
    weight: str = ""
    fires: str = ""
    reset: str = ""
    recurring: RecurringWindow | None = None
    clamped: Clamped | None = None
    table: Table | None = None
    kept: str = ""
    adapts: RateThreshold | None = None


def _refractory(part: RefractoryPeriod) -> Code:
    """Counts down at the beginning of a step: `steps` + 1 at a spike leave the neuron idle for `steps` steps."""
    return Code(
        begin=f"waiting = clip(waiting - 1, 0, {part.steps})\n",
        awake="waiting == 0",
        reset=f"\nwaiting = {part.steps + 1}",
    )


LATCHING = "current = current * latched\nlatched = latched + weight * latching\nlatching = 0\n"


def _fading(part: Exponential) -> Code:
    """What arrived feeds currents that fade, and these are the input of a step."""
    lines = [f"excited = {float(part.excitatory)!r} * excited + {1 - float(part.excitatory)!r} * current"]
    lines += ["current = excited"]
    if part.paired:
        share = f"{float(part.inhibitory)!r} * inhibited + {1 - float(part.inhibitory)!r} * inhibition"
        lines += [f"inhibited = {share}", "current = excited + inhibited", "inhibition = 0"]
    return Code(begin="".join(f"{line}\n" for line in lines))


def values_fired(part: GradedSpikes | ResidueSpikes, height: str) -> str:
    """Statements that set `fired` to the value of the spike that a potential v makes, 0 for none."""
    if isinstance(part, ResidueSpikes):
        return f"fired = int(v >= {height}) * v / ({height})\n"
    lines = ["fired = 0"]
    for level in sorted(map(float, part.levels)):
        lines.append(_where(f"v >= {level!r} * ({height})", level))
        if part.signed:
            lines.append(_where(f"v <= -{level!r} * ({height}) and sent >= {level!r}", -level))
    return "".join(f"{line}\n" for line in lines)


def shifted(earlier: Sequence[str]) -> str:
    """Statements that hand the value of each step before on to the variable of one more, the last one first."""
    names = ["fired", *earlier]
    return "".join(f"{names[k]} = {names[k - 1]}\n" for k in range(len(earlier), 0, -1))


def _where(condition: str, value: float) -> str:
    """Multiplied by 0 and 1, so that nothing is rounded."""
    return f"fired = (1 - int({condition})) * fired + int({condition}) * ({value!r})"


def _graded(part: GradedSpikes | ResidueSpikes) -> Code:
    """What is sent so far counts as the steps do."""
    return Code(fires=values_fired(part, "theta * weight"), reset="sent += fired * weight\n")


def digits_counted(part: UnevenDigitWindow) -> str:
    """How often its own step counts, by the end of the window in which it lies."""
    ends = [end for end in part.ends if end <= part.last]
    later = "".join(f" + int(own >= {end}) * {after - end}" for end, after in pairwise(ends))
    return f"2.0 ** ({ends[0]}{later} - 1 - own)"


PARTS: Mapping[type[Part], Callable[[Any], Code]] = {
    Delta: lambda part: Code(),
    Exponential: _fading,
    Latched: lambda part: Code(latching=LATCHING) if part.contraction is None else Code(sums=part),
    PerfectIntegrator: lambda part: Code(decayed="v"),
    Leak: lambda part: Code(decayed=f"{float(part.factor)!r} * v"),
    ConstantThreshold: lambda part: Code(),
    BinarySpikes: lambda part: Code(),
    GradedSpikes: _graded,
    ResidueSpikes: _graded,
    Subtract: lambda part: Code(reset="v -= theta * weight * fired"),
    ToPotential: lambda part: Code(reset=f"v = {float(part.potential)!r}"),
    Modulo: lambda part: Code(reset="v -= theta * floor(v / theta)"),
    Saturation: lambda part: Code(kept=f"v = clip(v, {float(part.low)!r}, {float(part.high)!r})"),
    RefractoryPeriod: _refractory,
    FiringWindow: lambda part: Code(window=(part.first, part.last)),
    DigitWindow: lambda part: Code(
        window=(part.first, part.last), weight=f"2.0 ** ({part.steps} - 1 - own % {part.steps})"
    ),
    UnevenDigitWindow: lambda part: Code(window=(part.first, part.last), weight=digits_counted(part)),
    FirstSpikeWindow: lambda part: Code(window=(part.first, part.last), weight=f"{part.steps} - own % {part.steps}"),
    RecurringWindow: lambda part: Code(recurring=part),
    Clamped: lambda part: Code(clamped=part),
    Table: lambda part: Code(table=part),
    RateThreshold: lambda part: Code(adapts=part),
    ThresholdSpikes: lambda part: Code(fires="fired = int(v >= theta) * theta\n"),
    SubtractSent: lambda part: Code(reset="v -= fired"),
}


def code_of(neuron: IF) -> Code:
    """The pieces of all parts of a neuron together."""
    pieces = [PARTS[type(part)](part) for part in neuron.parts]
    return Code(
        begin="".join(piece.begin for piece in pieces),
        latching="".join(piece.latching for piece in pieces),
        sums=next((piece.sums for piece in pieces if piece.sums), None),
        decayed="".join(piece.decayed for piece in pieces),
        awake="".join(piece.awake for piece in pieces),
        weight="".join(piece.weight for piece in pieces),
        window=next((piece.window for piece in pieces if piece.window), None),
        fires="".join(piece.fires for piece in pieces),
        reset="".join(piece.reset for piece in pieces),
        recurring=next((piece.recurring for piece in pieces if piece.recurring), None),
        clamped=next((piece.clamped for piece in pieces if piece.clamped), None),
        table=next((piece.table for piece in pieces if piece.table), None),
        kept="".join(piece.kept for piece in pieces),
        adapts=next((piece.adapts for piece in pieces if piece.adapts), None),
    )
