"""What a notebook shows of a network and of a result: tables and a picture that need no matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from snntoolbox.ir.drawing.layout import BOX
from snntoolbox.ir.drawing.network_picture import Box, Picture, boxes_of, picture_of, svg_path
from snntoolbox.ir.finished import Finished
from snntoolbox.ir.foreign import shown
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.summary import shape_text, span

MOST_ROWS = 60
"""Layers of a table; a longer one says how many there are more."""


def network_html(network: SpikingNetwork) -> str:
    """The network as a picture and, opened by a click, as a table."""
    picture = picture_of(network)
    boxes = [box for box in boxes_of(network) if box.what == "population"]
    rows = [_network_row(network, box) for box in boxes_of(network)]
    header = ("layer", "of the model", "map into it", "shape", "neurons", "scale")
    table = _table(header, rows, {4, 5})
    head = f"<strong>{_safe(network.name)}</strong>: {len(boxes)} layer{'s' * (len(boxes) > 1)} of neurons, "
    head += f"{network.neurons:,} neurons, steps of {network.dt:g} ms"
    if picture and picture.left_out:
        head += f"; {picture.left_out} lines over several rows are left out"
    closed = f"<details><summary>as a table</summary>{table}</details>" if picture else table
    return f"<div><p>{head}</p>{_svg(picture) if picture else ''}{closed}</div>"


def result_html(result: Finished) -> str:
    """Samples and steps, and how busy each layer was."""
    steps = f"{result.steps} steps"
    if result.mean_steps != result.steps:
        steps += f", {result.mean_steps:.1f} on average until the answer"
    rows = []
    for name, counts in result.counts.items():
        neurons = counts.reshape(len(counts), -1)
        silent = int((neurons == 0).all(axis=0).sum())
        rate = f"{float(np.mean(result.rates(name))):.4f}"
        spikes = f"{float(neurons.sum(axis=1).mean()):,.1f}"
        rows.append((name, shape_text(counts.shape[1:]), spikes, rate, f"{silent:,} of {neurons.shape[1]:,}"))
    header = ("layer", "shape", "spikes per sample", "per neuron and step", "never fire")
    head = f"<strong>Result</strong>: {result.samples:,} samples, {steps}"
    recorded = [what for what in ("spikes", "potentials") if getattr(result, what)]
    kept = f"; {' and '.join(recorded)} recorded" if recorded else ""
    return f"<div><p>{head}{kept}</p>{_table(header, rows, {2, 3, 4})}</div>"


def _network_row(network: SpikingNetwork, box: Box) -> tuple[str, ...]:
    population = network.populations.get(box.name)
    scale = "" if population is None else span(population.scale)
    neurons = f"{box.neurons:,}" if box.neurons else ""
    return box.name, box.label or box.what, box.kind, shape_text(box.shape), neurons, scale


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], right: set[int]) -> str:
    def line(cells: Sequence[str], kind: str) -> str:
        sides = ("right" if i in right else "left" for i in range(len(cells)))
        return "".join(f'<{kind} style="text-align:{side};padding:.15rem .6rem">{_safe(cell)}</{kind}>'
                       for cell, side in zip(cells, sides, strict=True))  # fmt: skip

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows[:MOST_ROWS])
    more = f"<p>and {len(rows) - MOST_ROWS:,} more</p>" if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{line(header, 'th')}</tr></thead><tbody>{body}</tbody></table>{more}"


def _svg(picture: Picture) -> str:
    """The picture in the colours of the page that it stands in."""
    wires = "".join(f'<path d="{svg_path(line)}" fill="none" stroke="currentColor" opacity=".6"/>'
                    for line in picture.lines)  # fmt: skip
    boxes = "".join(map(_svg_box, picture.boxes))
    size = f'viewBox="0 0 {picture.width} {picture.height}" width="{picture.width}" height="{picture.height}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="The layers" {size} '
    svg += f'style="font:12px sans-serif" fill="currentColor" text-anchor="middle">{wires}{boxes}</svg>'
    return f'<div style="overflow:auto;max-height:36rem">{svg}</div>'


def _svg_box(box: Box) -> str:
    left, top = round(box.x - BOX[0] / 2, 1), round(box.y - BOX[1] / 2, 1)
    dashes = "" if box.what == "population" else ' stroke-dasharray="4 3"'
    frame = f'<rect x="{left}" y="{top}" width="{BOX[0]}" height="{BOX[1]}" rx="6" '
    frame += f'fill="currentColor" fill-opacity=".07" stroke="currentColor"{dashes}/>'
    lines = "".join(_svg_text(box.x, top + 2 + 15 * row, words, row == 1) for row, words in enumerate(box.words, 1))
    return f"<g><title>{_safe(box.name)}</title>{frame}{lines}</g>"


def _svg_text(x: float, y: float, words: str, first: bool) -> str:
    weight = ' font-weight="600"' if first else ""
    return f'<text x="{round(x, 1)}" y="{round(y, 1)}"{weight}>{_safe(words)}</text>'


def _safe(text: str) -> str:
    return escape(shown(text))
