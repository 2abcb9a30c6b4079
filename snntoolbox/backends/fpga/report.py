"""The report of a deployment as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from snntoolbox.backends.fpga.build import Build
from snntoolbox.backends.fpga.cells import Resources
from snntoolbox.backends.fpga.checks import Measurements
from snntoolbox.backends.fpga.costs import InferenceCost, LayerCost
from snntoolbox.backends.fpga.project import Project
from snntoolbox.backends.fpga.saturation import Saturation
from snntoolbox.backends.fpga.targets import Device
from snntoolbox.backends.protocol import Check
from snntoolbox.backends.verilog.axi_text import axi_module
from snntoolbox.backends.verilog.hardware import meanings
from snntoolbox.ir.foreign import code, markdown


@dataclass(frozen=True, eq=False, kw_only=True)
class Report:
    """All that a report tells of a deployment; `saturation` where potentials were allowed to saturate."""

    project: Project
    cost: InferenceCost
    measured: Measurements
    accuracy: Mapping[str, Any]
    saturation: Saturation | None = None


def report_data(report: Report) -> dict[str, Any]:
    """What ``report.json`` holds."""
    project, cost, measured = report.project, report.cost, report.measured
    build, clocks = project.build, measured.clocks
    mean = None if clocks is None else sum(clocks) / len(clocks)
    return {
        "network": project.network.name,
        "top": project.top,
        "target": build.target.name,
        "device": None if build.device is None else asdict(build.device),
        "steps": project.steps,
        "weight_bits": None if project.network.grid is None else project.network.grid.weight_bits,
        "lanes": build.lanes,
        "queue": build.queue,
        "input_currents": dict(project.design.choices.currents),
        "clock_mhz": build.clock_mhz,
        "checks": [asdict(check) for check in measured.checks],
        "resources": None if measured.resources is None else asdict(measured.resources),
        "routed_mhz": measured.routed_mhz,
        "memory": {"bits": project.fit.bits, "blocks_at_least": project.fit.blocks, "in_luts": project.fit.small_bits},
        "clocks": clocks,
        "clocks_estimated": list(cost.estimated),
        "microseconds": None if mean is None else mean / build.clock_mhz,
        "samples_per_second": None if mean is None else 1e6 * build.clock_mhz / mean,
        "energy_estimated": energy(build, mean),
        "spikes": cost.spikes,
        "synaptic_operations": cost.operations,
        "layers": [asdict(layer) for layer in cost.layers],
        "synapses": cost.synapses,
        "dense_entries": cost.dense,
        "weight_memory_bits": cost.weight_memory,
        "saturation": None if report.saturation is None else asdict(report.saturation),
        "accuracy": dict(report.accuracy),
    }


def energy(build: Build, clocks: float | None) -> dict[str, Any] | None:
    """Joules of a sample that takes so many clocks, a power times its time, and where the power is from."""
    if clocks is None or not build.watts:
        return None
    source = build.target.source if build.watts == build.target.watts else "as given"
    return {"joules": build.watts * clocks / build.clock_mhz / 1e6, "watts": build.watts, "source": source}


_SAYS = {
    "lint": "`verilator --lint-only -Wall`",
    "sim": "Icarus: every spike and output equal to the integer reference",
    "sim-verilator": "Verilator: every spike and output equal to the integer reference",
    "synth": "synthesis (Yosys)",
    "route": "place and route",
    "fits": "the netlist fits the device",
    "equal clocks": "the same clocks in both simulators",
}


_COMPARED = ("fits", "equal clocks")
"""What is no goal of the Makefile."""


def report_text(report: Report) -> str:
    """What ``report.md`` says."""
    project, cost, measured = report.project, report.cost, report.measured
    parts = [
        _head(project),
        _checks(project, measured),
        _resources(project, measured),
        _time(project, cost, measured),
        _growth(project, cost),
        _dense(project, cost),
        _saturation(report.saturation),
        _accuracy(report.accuracy),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; its first column is text, the others numbers."""
    names = list(head)
    lines = [names, ["---", *["--:"] * (len(names) - 1)], *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _head(project: Project) -> str:
    build, network = project.build, project.network
    device = "" if build.device is None else f" {build.device.name} ({build.device.part})"
    bits = "" if network.grid is None else f", weights of {network.grid.weight_bits} bits"
    neurons = sum(layer.neurons for layer in project.design.layers if layer.spikes)
    text = f"# {markdown(network.name)} on {build.target.name}{device}\n\n"
    text += f"Module `{project.top}`: {neurons} neurons, {project.steps} steps a sample{bits}. "
    text += f"Layers update {'one neuron' if build.lanes == 1 else f'up to {build.lanes} neurons'} at once; each path "
    text += f"of spikes into a layer has a queue of {build.queue} word{'s' if build.queue > 1 else ''}."
    for name, most in project.design.choices.currents.items():
        text += f"\nInput currents of {code(name)} up to ±{most}: the host must not send larger ones."
    for line in meanings(project.design):
        text += f"\nOutput {line}."
    return text


def _checks(project: Project, measured: Measurements) -> str:
    lines = ["## Checked"]
    for check in measured.checks:
        goal = check.goal.split()[0]
        text = _SAYS.get(goal, goal) + (", under random stalls of both streams" if "STALLS" in check.goal else "")
        why = "" if check.passed else f": {_first_line(check.why)}"
        command = f" (`make {check.goal}`, {check.seconds:.0f} s)" if goal not in _COMPARED else ""
        lines.append(f"- **{check.outcome}**: {text}{command}{why}")
        if check.outcome == "failed" and "\n" in check.why:
            lines += ["", "  ```text", *(f"  {line}" for line in check.why.splitlines()), "  ```", ""]
    driven = f"The simulations drive `{axi_module(project.design)}`: the network through its AXI-Stream ports."
    return lines[0] + "\n\n" + "\n".join(lines[1:]) + f"\n\n{driven}"


def _first_line(text: str) -> str:
    return "its last words" if "\n" in text else text


def _resources(project: Project, measured: Measurements) -> str:
    device, resources = project.build.device, measured.resources
    fit = project.fit
    text = "## Resources\n\n"
    if resources is None:
        synthesis = measured.check("synth")
        text += f"Not measured: {synthesis.why.splitlines()[-1] if synthesis and synthesis.why else 'not run'}.\n\n"
    else:
        text += table(("", "taken", "device", "share"), _shares(resources, device)) + "\n\n"
        text += f"By `{project.build.target.synthesis}` of Yosys. "
        if device is None:
            text += "LUTs have 4 inputs; memories are left whole and not counted, queues included.\n\n"
        else:
            text += f"LUTs include {resources.lut_ram} that are memories, and "
            text += "inverters, which place and route may absorb.\n\n"
    text += f"Memories: {fit.bits} bits"
    if device is not None:
        text += f", of which {fit.small_bits} in small ones."
        size = project.build.target.block_bits
        text += f" They take at least {fit.blocks} of {device.blocks} block RAMs of {size} bits."
    else:
        text += "."
    return text


def _shares(resources: Resources, device: Device | None) -> list[tuple[str, str, str, str]]:
    most = (None,) * 4 if device is None else (device.luts, device.flipflops, device.blocks, device.dsps)
    names = ("LUTs", "flip-flops", "block RAMs", "DSPs")
    counts = (resources.luts, resources.flipflops, resources.blocks, resources.dsps)
    rows = []
    for name, count, limit in zip(names, counts, most, strict=True):
        share = "" if not limit else f"{count / limit:.0%}"
        rows.append((name, str(count), "" if limit is None else str(limit), share))
    # Without a device there are no block RAMs or DSPs.
    return rows[:2] if device is None else rows


def _time(project: Project, cost: InferenceCost, measured: Measurements) -> str:
    mhz, clocks = project.build.clock_mhz, measured.clocks
    rows: list[tuple[object, ...]] = []
    for sample, estimate in enumerate(cost.estimated):
        real = "not measured" if clocks is None else clocks[sample]
        rows.append((sample, real, estimate, f"{(estimate if clocks is None else clocks[sample]) / mhz:.1f}"))
    text = f"## Time\n\nAt {mhz:g} MHz, from the first input word to the last output word:\n\n"
    text += table(("sample", "clocks, simulated", "clocks, estimated", "microseconds"), rows) + "\n\n"
    text += f"An inference has {cost.spikes:,.0f} spikes and {cost.operations:,.0f} synaptic operations "
    text += f"(means of {len(cost.estimated)} samples)."
    if clocks is not None:
        mean = sum(clocks) / len(clocks)
        text += f"\n\nOne sample after the other, {1e6 * mhz / mean:,.0f} samples a second. "
        text += _energy_text(project, mean)
    if measured.routed_mhz is not None:
        text += f"\n\nPlaced and routed, the clock reaches **{measured.routed_mhz:.1f} MHz**"
        text += "." if measured.routed_mhz >= mhz else f", less than the {mhz:g} MHz of the table: choose --clock-mhz."
    return text


def _energy_text(project: Project, clocks: float) -> str:
    estimate = energy(project.build, clocks)
    if estimate is None:
        return "Energy: not estimated, as open tools tell no power and none was given (`--watts`)."
    joules = f"{1e6 * estimate['joules']:,.3g} µJ a sample"
    return (
        f"Energy, an estimate: {joules}, the time above at {estimate['watts']:g} W ({estimate['source']}). "
        "Nothing was measured, and open tools tell no power: `--watts` takes that of your board."
    )


def _growth(project: Project, cost: InferenceCost) -> str:
    rows = [
        (
            _named(c), c.neurons, c.bits, "" if c.spikes is None else f"{c.spikes:,.0f}", f"{c.arriving:,.0f}",
            c.scan, f"{c.per_spike:.1f}", f"{c.busy:,.0f}",
        )
        for c in cost.layers
    ]  # fmt: skip
    busiest = max(cost.layers, key=lambda c: c.busy)
    fixed = busiest.busy - busiest.arriving * busiest.per_spike
    head = ("layer", "neurons", "bits", "spikes", "arriving", "clocks a step", "clocks a spike", "busy clocks")
    return (
        "## How the clocks grow with spikes\n\n" + table(head, rows) + "\n\n"
        "Layers work at the same time, on different steps, and a layer's spikes leave as fast as its readers take "
        "them. So a sample takes at least what the busiest is busy, and more where neighbours, or the branches of a "
        "fork, wait for one another. "
        f"The busiest is {_named(busiest)}: {fixed:,.0f} clocks in {project.steps} steps without any "
        f"spike, and {busiest.per_spike:.1f} more for each spike that reaches it."
    )


def _named(layer: LayerCost) -> str:
    return f"`{layer.module}`" if layer.name in ("", layer.module) else f"`{layer.module}` ({markdown(layer.name)})"


def _dense(project: Project, cost: InferenceCost) -> str:
    bits = project.network.grid.weight_bits if project.network.grid is not None else 0
    return (
        "## Beside a dense design\n\n"
        + table(
            ("", "here", "dense"),
            [
                ("weight memory, bits", f"{cost.weight_memory:,}", f"{cost.dense * bits:,}"),
                ("operations a sample", f"{cost.operations:,.0f}", f"{cost.dense * project.steps:,}"),
                ("adders (multipliers, for values) if all at once", "", f"{cost.dense:,}"),
            ],
        )
        + "\n\n"
        "Computed, not built: a dense design keeps, for each layer, a matrix of its neurons times the neurons it "
        f"reads from ({cost.dense:,} entries; {cost.synapses:,} of them are synapses, the rest zeros) and goes "
        "over all of it in each step, whether a neuron fires or not."
    )


def _saturation(loss: Saturation | None) -> str:
    if loss is None:
        return ""
    text = f"## Saturation\n\nNo membrane is wider than {loss.bits} bits (sums of read-outs are kept whole). "
    if not loss.layers:
        return text + "None needs more, so none saturates."
    text += "At the end of a step potentials are clipped to what leaves room for the next one:\n\n"
    rows = [
        (
            code(layer.label), layer.needed, f"{layer.low} to {layer.high}", f"{met.updates:,.1f}", f"{met.share:.3%}",
            f"{met.neurons:,.1f}",
        )
        for layer, met in zip(loss.layers, loss.at_limits, strict=True)
    ]  # fmt: skip
    same = "" if loss.agreement is None else f"{loss.agreement:.2%} of the samples keep their classes. "
    head = ("layer", "bits without", "limits", "updates to a limit", "of all", "neurons")
    return (
        f"{text}{table(head, rows)}\n\n"
        "Updates that end at a limit and neurons that ever do, in a sample (means of the samples of the test bench). "
        f"Of {loss.samples} samples the outputs differ by {loss.rmse:.3g} from those without saturation (root mean "
        f"square, in the units of the original). {same}".rstrip()
    )


_ACCURACY = {
    "ann": "original network",
    "parsed": "parsed network, float",
    "snn_float": "spiking network, float weights",
    "snn_unsaturated": "spiking network, potentials that do not saturate",
    "snn": "spiking network, as deployed",
}


def _accuracy(accuracy: Mapping[str, Any]) -> str:
    rows = [(name, f"{accuracy[key]:.2%}") for key, name in _ACCURACY.items() if accuracy.get(key) is not None]
    if not rows:
        return ""
    head = ("", f"{accuracy['samples']} samples")
    return (
        f"## Accuracy\n\n{table(head, rows)}\n\n"
        + "The spiking ones by the built-in simulator, whose spikes are those of the hardware."
    )


def spoken_checks(measured: Measurements) -> tuple[Check, ...]:
    """The checks with goals in words, for a terminal."""
    return tuple(replace(check, goal=_goal_in_words(check.goal)) for check in measured.checks)


def _goal_in_words(goal: str) -> str:
    name = goal.split()[0]
    return _SAYS.get(name, goal).replace("`", "") + (" (random stalls)" if "STALLS" in goal else "")
