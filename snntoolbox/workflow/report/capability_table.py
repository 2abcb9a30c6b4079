"""The table of what each backend can run, in Markdown, as text and as data, from the backends' own capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson, SpikeTimes
from snntoolbox.ir.neurons import Reset

Held = bool | frozenset[Reset]
"""Whether something can be run: yes, no, or with these resets."""


@dataclass(frozen=True)
class Row:
    """A row: whether capabilities hold it; else what lowers it away (a pass or a setting), or why there is a no.

    Only what a backend that is told by `lowers` runs then counts as lowered. A `reason` of the backend itself goes
    before that of the row.
    """

    holds: Callable[[Capabilities], Held]
    lowered: str = ""
    reason: str = ""
    lowers: Callable[[Capabilities], bool] = lambda capabilities: True

    def lowered_in(self, capabilities: Capabilities) -> bool:
        """Whether something lowers it to what these capabilities hold."""
        return bool(self.lowered) and self.lowers(capabilities)


def _reset(kind: Reset) -> Callable[[Capabilities], bool]:
    return lambda capabilities: kind in capabilities.resets


def _encoding(kind: type[Encoding]) -> Callable[[Capabilities], bool]:
    return lambda capabilities: kind in capabilities.encodings


def _records(kind: str) -> Callable[[Capabilities], bool]:
    return lambda capabilities: kind in capabilities.records


def _always(capabilities: Capabilities) -> bool:
    """What follows from the form of a network: synapses, delays that even out depths, read-outs on the host."""
    return True


def _never(capabilities: Capabilities) -> bool:
    """What no network has yet, so that no simulator needs it."""
    return False


_TREE = "[conversion] maxpool_type = relu_tree (the default): a tree of comparing neurons"
_PULSES = "[conversion] weight_bits = 8: on the integer grid windows become pulses of current"
_RATE = "only other schedules need it than [conversion] schedule = rate (the default)"
_NEURON = "no such rule in its neurons"

FEATURES: Mapping[str, Row] = {
    "linear maps, whatever the layer": Row(_always),
    "residual and concat": Row(_always),
    "max pooling": Row(lambda c: c.max_gate, lowered=_TREE),
    "bias": Row(lambda c: c.bias, reason=_NEURON),
    "time-varying bias (pulses of current)": Row(lambda c: c.pulses, reason=_RATE),
    "firing windows": Row(lambda c: c.windows, lowered=_PULSES, reason=_RATE, lowers=lambda c: c.pulses),
    "input for the first steps alone": Row(lambda c: c.timed_input, reason=_RATE),
    "recurrent connections": Row(lambda c: c.recurrent, reason="networks can have them, no simulator here runs them"),
    "delays of one's own": Row(_never, reason="networks have none yet; short arms wait for long ones by themselves"),
    "synaptic currents that last": Row(_never, reason="networks have none yet: a spike acts in one step"),
    "reset by subtraction": Row(_reset(Reset.SUBTRACT), reason=_NEURON),
    "reset to a potential": Row(_reset(Reset.ZERO), reason=_NEURON),
    "reset by modulo": Row(_reset(Reset.MODULO), reason=_NEURON),
    "leak": Row(lambda c: c.leak, reason=_NEURON),
    "refractory period": Row(lambda c: c.refractory, reason=_NEURON),
    "initial potential": Row(lambda c: c.initial, reason=_NEURON),
    "thresholds per neuron": Row(lambda c: c.thresholds, reason="one threshold for each layer"),
    "potentials that saturate": Row(lambda c: c.saturation, reason="only `snntoolbox deploy --saturate` makes them"),
    "signed spikes of neurons": Row(lambda c: c.signed, reason=_NEURON),
    "spikes that carry values (payloads)": Row(lambda c: c.levels, reason=_NEURON),
    "constant-current input": Row(_encoding(ConstantCurrent), lowered="[input] poisson_input = True"),
    "Poisson input": Row(_encoding(Poisson), lowered="[input] poisson_input = False"),
    "spike-time input": Row(_encoding(SpikeTimes), reason="no sources that play given spikes"),
    "negative input values as spikes": Row(lambda c: c.signed_input, reason="input spikes have no sign"),
    "read-out of spike counts": Row(_always),
    "read-out of summed currents": Row(_always),
    "weights that are not on an integer grid": Row(lambda c: not c.grid_only, lowered="[conversion] weight_bits = 8"),
    "samples side by side": Row(lambda c: c.batches, reason="samples run one after the other"),
    "recording of spikes": Row(_records("spikes"), reason="it does not give them"),
    "recording of potentials": Row(_records("potentials"), reason="it does not give them"),
}
"""The rows, in order. A new feature is a line here."""

VALUES: Mapping[str, Callable[[Capabilities], str]] = {
    "steps that a spike needs to the next layer": lambda capabilities: str(capabilities.latency),
    "weights and sums: integers exact below": lambda capabilities: f"2^{capabilities.exact_bits}",
    "installed by": lambda capabilities: _installer(capabilities),
}
"""Rows of numbers and names."""


def _installer(capabilities: Capabilities) -> str:
    if capabilities.programs:
        return f"apt-get install {' or '.join(capabilities.programs)}"
    return f"snntoolbox[{capabilities.extra}]" if capabilities.extra else "snntoolbox"


def capability_data(capabilities: Mapping[str, Capabilities]) -> dict[str, dict[str, Any]]:
    """For each backend each feature: true, false, "lowered", or the resets with which it runs.

    `reasons` says why each no is there, or what lowers it away; `installed here` whether the backend is installed.
    """
    return {
        name: {
            **{feature: _plain(row, c) for feature, row in FEATURES.items()},
            **{feature: value(c) for feature, value in VALUES.items()},
            "reasons": {feature: said for feature, row in FEATURES.items() if (said := reason(feature, row, c))},
            "installed here": c.installed(),
        }
        for name, c in capabilities.items()
    }


def _plain(row: Row, capabilities: Capabilities) -> bool | str | list[str]:
    held = row.holds(capabilities)
    if isinstance(held, frozenset) and held:
        return sorted(held)
    return True if held else "lowered" if row.lowered_in(capabilities) else False


def reason(feature: str, row: Row, capabilities: Capabilities) -> str:
    """Why a backend lacks a feature or has it with some resets alone, or what lowers it away; empty for a yes."""
    held = row.holds(capabilities)
    if held is True:
        return ""
    if not held and row.lowered_in(capabilities):
        return f"lowered by {row.lowered}"
    return capabilities.reasons.get(feature, "" if held else row.reason)


def text_table(capabilities: Mapping[str, Capabilities]) -> str:
    """The table with aligned columns, a last row that says what is installed here, and the reasons below."""
    table, notes = _cells(capabilities)
    installed = ["installed here", *(("yes" if c.installed() else "no") for c in capabilities.values())]
    rows = [*table, installed]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    aligned = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([aligned[0], "-" * max(map(len, aligned)), *aligned[1:], "", *notes]) + "\n"


def capability_table(capabilities: Mapping[str, Capabilities]) -> str:
    """In Markdown one row per feature and one column per backend, in the order given; the reasons stand below."""
    (header, *rows), notes = _cells(capabilities)
    rules = ["---", *[":---:"] * len(capabilities)]
    lines = [f"| {' | '.join(row)} |" for row in (header, rules, *rows)]
    return "\n".join([*lines, "", "<br>\n".join(notes)]).rstrip() + "\n"


def _cells(capabilities: Mapping[str, Capabilities]) -> tuple[list[list[str]], list[str]]:
    """The cells row by row, the header first, and the numbered reasons."""
    numbers: dict[str, int] = {}

    def cell(feature: str, row: Row, c: Capabilities) -> str:
        said = reason(feature, row, c)
        note = f" ({numbers.setdefault(said, len(numbers) + 1)})" if said else ""
        held = _plain(row, c)
        if isinstance(held, list):
            return f"reset {', '.join(held)}{note}"
        return f"{held}{note}" if isinstance(held, str) else ("yes" if held else f"no{note}")

    rows = [["feature", *capabilities]]
    rows += [[f, *(cell(f, row, c) for c in capabilities.values())] for f, row in FEATURES.items()]
    rows += [[f, *(value(c) for c in capabilities.values())] for f, value in VALUES.items()]
    return rows, [f"({number}) {said}" for said, number in numbers.items()]
