"""What a person sees of a comparison on the terminal: two tables of at most 80 columns, and what differs in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from snntoolbox.analysis.comparison.comparison import Comparison, Divergence, Membrane, Side, Status

WIDTH = 78
"""Columns of what is told in words."""


def side_table(found: Comparison) -> Table:
    """One line per simulator: accuracy, agreement, spikes per sample, seconds, and whether its raster is equal."""
    table = Table(header_style="bold", padding=(0, 0, 0, 1))
    table.add_column("simulator", overflow="fold")
    # "= ANN" and "= first": the share of samples with the same prediction.
    for name in ("samples", "right", "= ANN", "= first", "spikes", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("raster", overflow="fold")
    for side in found.sides:
        mean = sum(side.spikes.values())
        ran = side.samples > 0
        cells = (_percent(side.accuracy), _percent(side.ann_agreement), _percent(side.agreement))
        seconds = f"{side.seconds_to_build + side.seconds_to_run:.1f}" if ran else "-"
        count = f"{side.samples:,}" if ran else "-"
        spikes = f"{mean:,.0f}" if ran else "-"
        table.add_row(escape(side.simulator), count, *cells, spikes, seconds, raster_text(side, found))
    return table


def raster_text(side: Side, found: Comparison) -> str:
    """What the last column says of a simulator."""
    if side.status is not Status.RAN and not side.samples:
        return f"[yellow]{side.status}[/yellow]"
    died = " [yellow](died)[/yellow]" if side.status is Status.DIED else ""
    if side.simulator == found.reference:
        return f"reference{died}"
    if not side.compared:
        return f"-{died}"
    if not side.differing_cells:
        return f"[green]equal[/green]{died}"
    return f"[red]{side.differing_cells:,} differ[/red]{died}"


def population_table(found: Comparison) -> Table:
    """One line per population: mean spikes per sample on the reference, and the cells that differ on each other one."""
    others = [s for s in found.sides if s.compared]
    table = Table(header_style="bold", padding=(0, 0, 0, 1))
    table.add_column("population", overflow="ellipsis", no_wrap=True, max_width=30)
    table.add_column("spikes", justify="right", no_wrap=True)
    for side in others:
        table.add_column(escape(side.simulator), justify="right", overflow="fold")
    reference = found.side(found.reference)
    for name, spikes in reference.spikes.items():
        cells = [_differing(s.differing[name]) for s in others]
        table.add_row(escape(name), f"{spikes:,.1f}", *cells)
    return table


def in_words(found: Comparison) -> str:
    """The verdict, the first divergence of each simulator, and why some did not run."""
    return "\n".join(_paragraphs(found))


def _paragraphs(found: Comparison) -> Iterator[str]:
    for side in found.sides:
        if side.status is not Status.RAN:
            after = f" after {side.samples} of {found.samples} samples" if side.samples else ""
            yield f"{side.simulator} {_SAID[side.status]}{after}:"
            yield textwrap.indent(side.reason, "  ")
    for side in found.sides:
        if side.divergence is not None:
            yield from _divergence(side, side.divergence, found)
    yield _verdict(found)


_SAID = {Status.DIED: "died", Status.REFUSED: "cannot take the network", Status.MISSING: "did not run"}


def _divergence(side: Side, at: Divergence, found: Comparison) -> Iterator[str]:
    place = f"neuron {at.neuron}" + (f" {list(at.position)}" if len(at.position) > 1 else "")
    yield f"{side.simulator} first differs in sample {at.sample}, step {at.step}: {at.layer}, {place}"
    yield f"  {found.reference + ':':<14} {_membrane(at.reference)}"
    yield f"  {side.simulator + ':':<14} {_membrane(at.simulator)}"
    if at.threshold is not None:
        yield f"  {'threshold:':<14} {at.threshold:.10g}"
    yield f"  {'class:':<14} {at.cause}"
    who = f"{' and '.join(at.departs)} departs from the semantics: " if at.departs else ""
    wrapped = textwrap.wrap(who + at.evidence, WIDTH - 17)
    yield textwrap.indent("\n".join(wrapped), " " * 17).replace(" " * 17, f"  {'evidence:':<14} ", 1)


def _membrane(membrane: Membrane) -> str:
    fired = "spike" if membrane.spiked else "no spike"
    if membrane.before is None or membrane.after is None:
        return f"{fired} (no potentials recorded)"
    return f"V {membrane.previous:.9g} -> {membrane.before:.9g}, {fired}, -> {membrane.after:.9g}"


def _verdict(found: Comparison) -> str:
    if not any(side.compared for side in found.sides):
        return "Nothing was compared: fewer than two simulators finished a sample."
    if found.equal:
        count = len([s for s in found.sides if s.compared]) + 1
        return f"All rasters are equal: {count} simulators, spike by spike."
    if found.weight_bits:
        return "The rasters differ, though the network is on an integer grid, where all must be equal."
    return (
        "The rasters differ. Float weights allow that by rounding; on an integer grid\n"
        "(--set conversion.weight_bits=8) all must be equal."
    )


def _differing(count: int) -> str:
    return f"[red]{count:,}[/red]" if count else "0"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
