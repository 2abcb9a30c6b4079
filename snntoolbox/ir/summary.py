"""Tables of graphs and spiking networks in plain text, for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np

from snntoolbox.ir.arguments import checked
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.foreign import shown
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, Negative, Reset
from snntoolbox.ir.node import Array, LinearNode, Node, Shape
from snntoolbox.ir.nodes import AveragePool, Conv, Delay, Dense, Input, MaxPool, MovingNode, ReLU, Scale, Tabulated
from snntoolbox.ir.structure import source_supports

_LONGEST_CHAIN = 3


@checked
def summary(item: Graph | SpikingNetwork, width: int = 0) -> str:
    """A table of a graph's nodes or of a network's populations; `width` as in `text_table`."""
    return graph_summary(item, width) if isinstance(item, Graph) else network_summary(item, width)


def graph_summary(graph: Graph, width: int = 0) -> str:
    """One line per node: name, what it does, shape, stored numbers, the user's layer, and what it reads.

    What a node reads is shown only where that is not just the line above. `width` as in `text_table`.
    """
    rows, above = [], ""
    for name, node in graph.nodes.items():
        reads = "" if node.inputs in ((), (above,)) else ", ".join(node.inputs)
        rows.append((name, describe(node), shape_text(graph.shapes[name]), _stored(node), _layer(node), reads))
        above = name
    total = ("total", f"{len(graph)} nodes", "", f"{graph.node_weights():,}", "", "")
    header = ("node", "operation", "shape", "parameters", "layer", "reads")
    table = text_table(header, [*rows, total], right={3}, width=width)
    ends = [f"{output} ({head})" for output, head in zip(graph.outputs, graph.heads, strict=True)]
    return f"{shown(graph.name)}\n{table}\noutputs: {shown(', '.join(ends))}"


def network_summary(network: SpikingNetwork, width: int = 0) -> str:
    """One line per population: shape, neurons, synapses, threshold, scale, the map into it, the user's layer, sources.

    `scale` is the activation that one spike per step stands for. Sources are shown only where they are not just
    the line above. Read-outs, input codings, neuron model, time step and integer grid stand below. `width` as in
    `text_table`.
    """
    synapses = {t: sum(s.synapses() for s in found.values()) for t, found in source_supports(network).items()}
    rows, above = [], next(iter(network.encodings), "")
    for name in (n for n in network.targets if n in network.populations):
        population = network.populations[name]
        rows.append(
            (
                name,
                shape_text(population.shape),
                f"{population.size:,}",
                f"{synapses[name]:,}",
                _threshold(population),
                span(population.scale),
                _into(network, population),
                _layer(population),
                _reads(network, name, above),
            )
        )
        above = name
    for readout in network.readouts:
        kind, reads = incoming(network, readout.current), _reads(network, readout.name, above)
        shape, size = shape_text(readout.shape), f"{synapses[readout.name]:,}"
        rows.append((readout.name, shape, "", size, "", span(readout.scale), kind, "(read-out)", reads))
    count = f"{len(network.populations)} populations"
    rows.append(("total", "", f"{network.neurons:,}", f"{sum(synapses.values()):,}", "", "", count, "", ""))
    header = ("population", "shape", "neurons", "synapses", "threshold", "scale", "map into it", "layer", "reads")
    return "\n".join([shown(network.name), text_table(header, rows, right={2, 3}, width=width), *_notes(network)])


def text_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: set[int], width: int = 0, *, total: bool = True
) -> str:
    """Aligned columns under a rule, the last row (the `total`) under another; columns empty throughout are left out.

    Where a `width` is given, columns that do not fit into it stand on lines of their own below each row.
    """
    rows = [[shown(cell) for cell in row] for row in rows]
    used = [c for c in range(len(header)) if any(row[c] for row in rows)]
    sizes = {c: max(len(row[c]) for row in (header, *rows)) for c in used}
    fitting = len(used)
    while width and fitting > 1 and sum(sizes[c] + 2 for c in used[:fitting]) - 2 > width:
        fitting -= 1

    def line(row: Sequence[str], more: bool = True) -> str:
        cells = (row[c].rjust(sizes[c]) if c in right else row[c].ljust(sizes[c]) for c in used[:fitting])
        below = "; ".join(f"{header[c]}: {row[c]}" for c in used[fitting:] if row[c]) if more else ""
        return "\n".join(["  ".join(cells).rstrip(), *wrap(below, width or 1, **_INDENTED)])

    lines = [line(header, more=False), *map(line, rows[:-1]), line(rows[-1], more=not total)]
    rule = "-" * max(len(part) for whole in lines for part in whole.split("\n"))
    return "\n".join([lines[0], rule, *lines[1:-1], *([rule] if total else []), lines[-1]])


_INDENTED: Mapping[str, Any] = {"initial_indent": "    ", "subsequent_indent": "    ", "break_on_hyphens": False}


# -- cells --------------------------------------------------------------------------------------------------------


def shape_text(shape: Shape) -> str:
    """``'16x32x32'``."""
    return "x".join(map(str, shape)) or "1"


def span(values: Array | float) -> str:
    """A number, or the least and largest of several: ``'0.5 .. 2'``."""
    low, high = float(np.min(values)), float(np.max(values))
    return f"{low:.4g}" if low == high else f"{low:.3g} .. {high:.3g}"


def describe(node: Node) -> str:
    """What a node does in a few characters, e.g. ``'Conv 3x3 /2'`` (a stride of two)."""
    rule = _DESCRIPTIONS.get(type(node))
    return rule(node) if rule else node.kind


def incoming(network: SpikingNetwork, current: str) -> str:
    """The linear map that gives a current, e.g. ``'AveragePool 2x2 + Conv 3x3'``; a long chain by its end."""
    chain: list[str] = []
    todo, seen = [current], set()
    while todo:  # backwards from the current, nearest first
        name = todo.pop(0)
        node = network.wiring.nodes[name]
        if name in seen or isinstance(node, Input):
            continue
        seen.add(name)
        todo.extend(node.inputs)
        told = isinstance(node, Delay) or not isinstance(node, MovingNode | Scale)
        if told and describe(node) not in chain:
            chain.append(describe(node))
    if not chain:
        return "direct"
    return ("... + " if len(chain) > _LONGEST_CHAIN else "") + " + ".join(reversed(chain[:_LONGEST_CHAIN]))


def _window(kernel: Shape, stride: Shape, more: str = "") -> str:
    steps = "" if set(stride) == {1} else " /" + (str(stride[0]) if len(set(stride)) == 1 else shape_text(stride))
    return shape_text(kernel) + steps + more


def _conv(node: Any) -> str:
    grouping = f", {node.groups} groups" if node.groups > 1 else ""
    dilation = "" if set(node.dilation) == {1} else f", dilation {shape_text(node.dilation)}"
    depthwise = node.groups > 1 and node.weight.shape[1] == 1
    name, more = ("depthwise Conv ", dilation) if depthwise else ("Conv ", grouping + dilation)
    return name + _window(node.weight.shape[2:], node.stride, more)


def _pool(node: Any) -> str:
    return f"{node.kind} {_window(node.kernel, (1,) if node.stride == node.kernel else node.stride)}"


def _tabulated(node: Tabulated) -> str:
    return f"{node.function}, {'positive' if node.sign > 0 else 'negative'} part"


def _relu(node: ReLU) -> str:
    if node.max_value is None:
        return "ReLU"
    levels = "" if node.levels is None else f" in {node.levels} levels"
    return f"ReLU up to {span(node.max_value)}{levels}"


_DESCRIPTIONS: Mapping[type[Node], Callable[[Any], str]] = {
    Conv: _conv,
    Dense: lambda node: "Dense",
    Delay: lambda node: f"Delay {node.steps}",
    AveragePool: _pool,
    MaxPool: _pool,
    ReLU: _relu,
    Tabulated: _tabulated,
}


def _stored(node: Node) -> str:
    if not isinstance(node, LinearNode):
        return ""
    count = sum(a.size for a in (node.weights, node.bias) if a is not None)
    return f"{count:,}" if count else ""


def _into(network: SpikingNetwork, population: Population) -> str:
    """The map into it, and what is done to what it brings."""
    table = population.neuron.table if isinstance(population.neuron, IF) else None
    looked_up = "" if table is None else f", {table}"
    return incoming(network, population.current) + (" x counts" if population.latched else "") + looked_up


def _layer(item: Node | Population) -> str:
    if item.origin is None:
        return ""
    return item.origin.kind if item.origin.name == item.name else f"{item.origin.name} ({item.origin.kind})"


def _threshold(population: Population) -> str:
    return span(population.neuron.threshold) if isinstance(population.neuron, IF) else "max gate"


def _reads(network: SpikingNetwork, target: str, above: str) -> str:
    sources = sorted(network.fed_by(target), key=list(network.wiring.nodes).index)
    return "" if sources == [above] else ", ".join(sources)


# -- below the table ----------------------------------------------------------------------------------------------


def _notes(network: SpikingNetwork) -> list[str]:
    lines = [
        f"input:   {name} {shape_text(network.wiring.shapes[name])}, {encoding.words(network.dt)}"
        for name, encoding in network.encodings.items()
    ]
    models = dict.fromkeys(_neuron(p.neuron) for p in network.populations.values() if isinstance(p.neuron, IF))
    lines += [f"neurons: {model}" for model in models]
    lines.append(f"step:    {network.dt:g} ms")
    if network.schedule:
        lines.append(f"runs:    {_schedule(network)}")
    if network.grid:
        grid = network.grid
        grows = f"|V| grows by at most {grid.growth:,} a step from {grid.start:,}"
        lines.append(f"grid:    {grid.weight_bits}-bit weights, {grows}")
    return lines + [f"chosen:  {note}" for note in network.notes]


def _schedule(network: SpikingNetwork) -> str:
    schedule = network.schedule
    assert schedule is not None
    steps = "any number of steps" if schedule.steps is None else f"{schedule.steps} steps"
    windows = f", windows of {', '.join(map(str, schedule.lengths))} steps" if schedule.ends else ""
    return f"{schedule.name}, {steps}{windows}, sums divided by {schedule.total}"


_RESETS = {Reset.SUBTRACT: "reset by subtraction", Reset.MODULO: "reset modulo the threshold"}


def _neuron(neuron: IF) -> str:
    parts = ["integrate-and-fire" if neuron.leak == 1 else f"leaky integrate-and-fire (keeps {neuron.leak:.4g} a step)"]
    parts.append(f"reset to {neuron.reset_potential:g}" if neuron.reset is Reset.ZERO else _RESETS[neuron.reset])
    parts.append(f"V starts at {span(neuron.initial)}")
    if any(neuron.synaptic):
        parts.append("synaptic currents keep {:.4g} (excitatory) and {:.4g} a step".format(*neuron.synaptic))
    if neuron.refractory:
        parts.append(f"refractory for {neuron.refractory} steps")
    if neuron.window:
        digits = f" of {neuron.window[1] - neuron.window[0]} binary digits" * (neuron.counting is Counting.DIGIT)
        fires = "fires once" if neuron.counting is Counting.LEAD else "fires"
        parts.append(f"{fires} in a window{digits} of its own")
    if neuron.saturation is not None:
        parts.append("V saturates at {:g} and {:g}".format(*neuron.saturation))
    if neuron.levels != (1.0,):
        parts.append(f"spikes of {', '.join(f'{level:g}' for level in neuron.levels)} thresholds")
    if neuron.negative is not Negative.NEVER:
        parts.append("negative spikes while the sum sent stays at or above 0")
    return ", ".join([*parts, *neuron.special_words])
