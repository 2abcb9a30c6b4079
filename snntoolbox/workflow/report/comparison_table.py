"""What a person sees of a comparison on the terminal: two tables, and what differs in words."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill, wrap

from snntoolbox.analysis.comparison.comparison import Comparison, Divergence, Membrane, Side, Status
from snntoolbox.ir.foreign import shortened
from snntoolbox.ir.summary import text_table
from snntoolbox.workflow.report.terminal import LONGEST_NAME, figure


def side_table(comparison: Comparison, width: int = 0) -> str:
    """One line per simulator: accuracy, agreement, spikes per sample, seconds, and whether its raster is equal."""
    # "= ANN" and "= first": the share of samples with the same prediction.
    header = ("simulator", "samples", "right", "= ANN", "= first", "spikes", "seconds", "raster")
    rows = [_side_row(side, comparison) for side in comparison.sides]
    return text_table(header, rows, set(range(1, 7)), width, total=False)


def _side_row(side: Side, comparison: Comparison) -> tuple[str, ...]:
    shares = [_percent(share) for share in (side.accuracy, side.ann_agreement, side.agreement)]
    seconds = f"{side.seconds_to_build + side.seconds_to_run:.1f}"
    spikes = f"{sum(side.spikes.values()):,.0f}"
    numbers = (f"{side.samples:,}", *shares, spikes, seconds) if side.samples else ("-",) * 6
    return side.simulator, *numbers, raster_text(side, comparison)


def raster_text(side: Side, comparison: Comparison) -> str:
    """What the last column says of a simulator."""
    if side.status is not Status.RAN and not side.samples:
        return str(side.status)
    died = " (died)" if side.status is Status.DIED else ""
    if side.simulator == comparison.reference:
        return f"reference{died}"
    if not side.compared:
        return f"-{died}"
    return f"{side.differing_cells:,} differ{died}" if side.differing_cells else f"equal{died}"


def population_table(comparison: Comparison, width: int = 0) -> str:
    """One line per population: mean spikes per sample on the reference, and the cells that differ on each other one."""
    others = [s for s in comparison.sides if s.compared]
    header = ("population", "spikes", *(side.simulator for side in others))
    rows = [
        (shortened(name, LONGEST_NAME), f"{spikes:,.1f}", *(f"{side.differing[name]:,}" for side in others))
        for name, spikes in comparison.side(comparison.reference).spikes.items()
    ]
    return text_table(header, rows, set(range(1, len(header))), width, total=False)


def in_words(comparison: Comparison, width: int) -> str:
    """The verdict, the first divergence of each simulator, and why some did not run."""
    return "\n".join(_paragraphs(comparison, width))


def _paragraphs(comparison: Comparison, width: int) -> Iterator[str]:
    for side in comparison.sides:
        if side.status is not Status.RAN:
            after = f" after {side.samples} of {comparison.samples} samples" if side.samples else ""
            yield f"{side.simulator} {_ENDED[side.status]}{after}:"
            yield from (_wrapped(line, width) for line in side.reason.splitlines())
    for side in comparison.sides:
        if side.hardware:
            figures = ", ".join(f"{name} {figure(name, value)}" for name, value in side.hardware.items())
            yield "\n".join(wrap(f"{side.simulator}, per sample: {figures}", width, break_on_hyphens=False))
    for side in comparison.sides:
        if side.divergence is not None:
            yield from _divergence(side, side.divergence, comparison, width)
    yield "\n".join(wrap(_verdict(comparison), width, break_on_hyphens=False))


def _wrapped(line: str, width: int) -> str:
    """A line of a message, two columns further in than it was, in as many lines as it takes."""
    begin = "  " + " " * (len(line) - len(line.lstrip()))
    return fill(line.strip(), width, initial_indent=begin, subsequent_indent=f"{begin}  ", break_on_hyphens=False)


_ENDED = {Status.DIED: "died", Status.REFUSED: "cannot take the network", Status.MISSING: "did not run"}


def _divergence(side: Side, at: Divergence, comparison: Comparison, width: int) -> Iterator[str]:
    place = f"neuron {at.neuron}" + (f" {list(at.position)}" if len(at.position) > 1 else "")
    first = f"{side.simulator} first differs in sample {at.sample}, step {at.step}: {at.layer}, {place}"
    yield "\n".join(wrap(first, width, subsequent_indent="  "))
    yield f"  {comparison.reference + ':':<14} {_membrane(at.reference)}"
    yield f"  {side.simulator + ':':<14} {_membrane(at.simulator)}"
    if at.threshold is not None:
        yield f"  {'threshold:':<14} {at.threshold:.10g}"
    yield f"  {'class:':<14} {at.cause}"
    who = f"{' and '.join(at.departs)} departs from the semantics: " if at.departs else ""
    begin = f"  {'evidence:':<14} "
    yield "\n".join(wrap(who + at.evidence, width, initial_indent=begin, subsequent_indent=" " * len(begin)))


def _membrane(membrane: Membrane) -> str:
    fired = "spike" if membrane.spiked else "no spike"
    if membrane.before is None or membrane.after is None:
        return f"{fired} (no potentials recorded)"
    return f"V {membrane.previous:.9g} -> {membrane.before:.9g}, {fired}, -> {membrane.after:.9g}"


def _verdict(comparison: Comparison) -> str:
    if not any(side.compared for side in comparison.sides):
        return "Nothing was compared: fewer than two simulators finished a sample."
    if comparison.equal:
        count = len([s for s in comparison.sides if s.compared]) + 1
        return f"All rasters are equal: {count} simulators, spike by spike."
    if comparison.weight_bits:
        return "The rasters differ, though the network is on an integer grid, where all must be equal."
    return (
        "The rasters differ. Float weights allow that by rounding; on an integer grid "
        "(--set conversion.weight_bits=8) all must be equal."
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
