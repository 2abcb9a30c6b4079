"""The table of what each backend can run, in Markdown, from the backends' own capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson
from snntoolbox.ir.neurons import Reset


def _reset(kind: Reset) -> Callable[[Capabilities], bool]:
    return lambda capabilities: kind in capabilities.resets


def _encoding(kind: type[Encoding]) -> Callable[[Capabilities], bool]:
    return lambda capabilities: kind in capabilities.encodings


def _records(kind: str) -> Callable[[Capabilities], bool]:
    return lambda capabilities: kind in capabilities.records


FEATURES: Mapping[str, Callable[[Capabilities], bool | frozenset[Reset]]] = {
    "constant-current input": _encoding(ConstantCurrent),
    "Poisson input": _encoding(Poisson),
    "negative input values as spikes": lambda capabilities: capabilities.signed_input,
    "reset by subtraction": _reset(Reset.SUBTRACT),
    "reset to a potential": _reset(Reset.ZERO),
    "reset by modulo": _reset(Reset.MODULO),
    "leak": lambda capabilities: capabilities.leak,
    "refractory period": lambda capabilities: capabilities.refractory,
    "max pooling by a gate on spike counts": lambda capabilities: capabilities.max_gate,
    "bias": lambda capabilities: capabilities.bias,
    "initial potential": lambda capabilities: capabilities.initial,
    "thresholds per neuron": lambda capabilities: capabilities.thresholds,
    "firing windows": lambda capabilities: capabilities.windows,
    "pulses of current": lambda capabilities: capabilities.pulses,
    "input for the first steps alone": lambda capabilities: capabilities.timed_input,
    "spikes that carry values": lambda capabilities: capabilities.levels,
    "signed spikes": lambda capabilities: capabilities.signed,
    "recurrent connections": lambda capabilities: capabilities.recurrent,
    "samples side by side": lambda capabilities: capabilities.batches,
    "recording of spikes": _records("spikes"),
    "recording of potentials": _records("potentials"),
}
"""What a row of the table is called, and whether capabilities hold it: yes, no, or with which resets."""

VALUES: Mapping[str, Callable[[Capabilities], str]] = {
    "steps that a spike needs to the next layer": lambda capabilities: str(capabilities.latency),
    "whole numbers are exact below": lambda capabilities: f"2^{capabilities.exact_bits}",
    "installed by": lambda capabilities: f"snntoolbox[{capabilities.extra}]" if capabilities.extra else "snntoolbox",
}
"""Rows of numbers and names."""


def capability_data(capabilities: Mapping[str, Capabilities]) -> dict[str, dict[str, bool | str | list[str]]]:
    """For each backend each feature: true, false, or the resets with which it runs; and whether it is installed."""

    def plain(held: bool | frozenset[Reset]) -> bool | list[str]:
        return held if isinstance(held, bool) else sorted(held)

    return {
        name: {
            **{feature: plain(holds(c)) for feature, holds in FEATURES.items()},
            **{feature: value(c) for feature, value in VALUES.items()},
            "installed here": c.installed(),
        }
        for name, c in capabilities.items()
    }


def text_table(capabilities: Mapping[str, Capabilities]) -> str:
    """The table with aligned columns and a last row that says which backends are installed here."""
    installed = ["installed here", *(("yes" if c.installed() else "no") for c in capabilities.values())]
    lines = [line.strip("| ").split(" | ") for line in capability_table(capabilities).splitlines()]
    rows = [line for line in lines if line[0] != "---"] + [installed]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    aligned = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([aligned[0], "-" * len(aligned[0]), *aligned[1:]]) + "\n"


def capability_table(capabilities: Mapping[str, Capabilities]) -> str:
    """One row per feature, one column per backend (its name -> its capabilities), in the order given."""
    names = list(capabilities)
    rows = [["feature", *names], ["---", *[":---:"] * len(names)]]
    rows += [[f, *(cell(holds(c)) for c in capabilities.values())] for f, holds in FEATURES.items()]
    rows += [[f, *(value(c) for c in capabilities.values())] for f, value in VALUES.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def cell(held: bool | frozenset[Reset]) -> str:
    """What a cell says."""
    if isinstance(held, frozenset) and held:
        return f"with reset {', '.join(sorted(held))}"
    return "yes" if held else "no"
