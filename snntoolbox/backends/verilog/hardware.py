"""All files of a network's hardware: the Verilog of its layers, their memories, and the library they are built from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from snntoolbox.backends.verilog.axi_text import axi_module, axi_text
from snntoolbox.backends.verilog.clocks import scan_clocks, spike_clocks
from snntoolbox.backends.verilog.design import Design
from snntoolbox.backends.verilog.layer import Layer
from snntoolbox.backends.verilog.layer_text import LayerText
from snntoolbox.backends.verilog.top_text import TopText
from snntoolbox.backends.verilog.writing import Files
from snntoolbox.ir.network import Readout
from snntoolbox.ir.writing import write_text

LIBRARY = (
    "snn_arbiter", "snn_digits", "snn_drive", "snn_factor", "snn_fifo", "snn_list", "snn_matrix_product",
    "snn_membranes", "snn_neurons", "snn_product",
    "snn_ram", "snn_rom", "snn_scatter", "snn_source", "snn_steps", "snn_sums", "snn_table", "snn_taps",
)  # fmt: skip
"""The modules that every network is built from, one file each."""


def library() -> dict[str, str]:
    """The text of each file of the library."""
    folder = files("snntoolbox.backends.verilog") / "rtl"
    return {f"{name}.v": (folder / f"{name}.v").read_text("utf-8") for name in LIBRARY}


def hardware(design: Design) -> dict[str, str]:
    """The files of a design: name -> text. Those that end in .v are the sources, the others memories for $readmemh."""
    written = Files()
    for layer in design.layers:
        own = LayerText(design, layer, written)
        written.texts[f"{layer.module}.v"] = own.text()
        written.texts.update({f"{port.module}.v": port.text() for port in own.ports})
    written.texts[f"{design.module}.v"] = TopText(design, summary(design)).text()
    written.texts[f"{axi_module(design)}.v"] = axi_text(design)
    return {**library(), **written.texts}


def summary(design: Design) -> list[str]:
    """What a reader of the top module must know: the network, the streams and the layers."""
    lines = [
        f"{design.name}: {sum(layer.neurons for layer in design.layers if layer.spikes)} neurons, "
        f"up to {design.choices.steps} steps a sample",
        "Input stream, for each sample:",
    ]
    if design.driven:
        parts = [f"{layer.neurons} words of {layer.current_bits} bits ({layer.label})" for layer in design.driven]
        lines.append(f"  input currents, bias included: {', '.join(parts)}; position after position, channels fastest")
    if design.digits:
        values = [f"{i.values} values ({i.name} {i.shape})" for i in design.inputs]
        sign = "a sign and " if any(i.signed for i in design.inputs) else ""
        lines.append(f"  {', '.join(values)} in C order, {sign}{design.digits} bits each")
    elif design.inputs:
        names = ", ".join(f"{i} = {s.name} {s.shape}" for i, s in enumerate(design.inputs))
        lines.append(f"  for each step its spikes and a marker: {{marker, sign, input, coordinates}}, inputs: {names}")
    lines.append(
        f"Then {design.module} runs `steps` steps and gives, for each read-out, its sums and the index of the largest."
    )
    lines += [f"  {layer.module}: {_layer(layer)}" for layer in design.layers]
    return [*lines, *(f"  {line}" for line in meanings(design))]


def meanings(design: Design) -> list[str]:
    """What the sums of each read-out stand for."""
    found = []
    for layer in design.readouts:
        assert isinstance(layer.target, Readout)
        counted = f"(steps - {layer.forget}), from {2 * layer.forget} steps on," if layer.forget else "steps"
        counted = f"{layer.total}" if layer.total else counted
        value = f"{layer.module}: a sum times {layer.target.scale:.6g} / {counted}"
        found.append(f"{value} stands for the original output, before a softmax or sigmoid")
    return found


def _layer(layer: Layer) -> str:
    clocks = [f"{spike_clocks(port).mean():.1f} for a spike of {port.source}" for port in layer.ports]
    scan = f"{scan_clocks(layer)} a step" + " in which it may fire" * layer.silent
    if layer.opening_clocks:
        scan += f" and {layer.opening_clocks} more for each neuron as its window opens"
    return (
        f"{layer.label}, {layer.neurons} x {layer.bits} bits, {layer.lanes} at once; "
        f"clocks: {', '.join([scan, *dict.fromkeys(clocks)])}"
    )


def write(folder: Path, texts: dict[str, str]) -> None:
    """Write files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text, sync=False)
