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


FEATURES: Mapping[str, Callable[[Capabilities], bool]] = {
    "constant-current input": _encoding(ConstantCurrent),
    "Poisson input": _encoding(Poisson),
    "reset by subtraction": _reset(Reset.SUBTRACT),
    "reset to a potential": _reset(Reset.ZERO),
    "reset by modulo": _reset(Reset.MODULO),
    "leak": lambda capabilities: capabilities.leak,
    "refractory period": lambda capabilities: capabilities.refractory,
    "max pooling by a gate on spike counts": lambda capabilities: capabilities.max_gate,
    "recurrent connections": lambda capabilities: capabilities.recurrent,
}
"""What a row of the table is called, and whether capabilities hold it."""


def capability_table(capabilities: Mapping[str, Capabilities]) -> str:
    """One row per feature, one column per backend (its name -> its capabilities), in the order given."""
    names = list(capabilities)
    rows = [["feature", *names], ["---", *[":---:"] * len(names)]]
    rows += [[f, *("yes" if holds(c) else "no" for c in capabilities.values())] for f, holds in FEATURES.items()]
    rows.append(["steps that a spike needs to the next layer", *(str(c.latency) for c in capabilities.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
