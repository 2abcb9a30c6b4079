"""Which variables a run keeps: those that were asked for, as far as the simulator can give them."""

from __future__ import annotations

from snntoolbox.backends.checking import recording_simulators
from snntoolbox.backends.registry import backend_named
from snntoolbox.errors import ConfigError
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.features import RECORDED_POTENTIALS, RECORDED_SPIKES
from snntoolbox.ir.result import Record
from snntoolbox.workflow.config.schema import Settings, keys

OF_RECORDINGS = {
    RECORDED_SPIKES: frozenset(
        {"spiketrains_n_b_l_t", "synaptic_operations_b_t", "spiketrains", "spikecounts", "operations"}
    ),
    RECORDED_POTENTIALS: frozenset({"mem_n_b_l_t", "v_mem"}),
}
"""What a simulator must record -> the variables that are made of it."""


def record_of(variables: frozenset[str]) -> Record:
    """What a simulator must record for these."""
    spikes, potentials = (bool(variables & OF_RECORDINGS[row]) for row in (RECORDED_SPIKES, RECORDED_POTENTIALS))
    return Record(spikes=spikes, potentials=potentials)


def kept_variables(settings: Settings, key: str) -> tuple[frozenset[str], str]:
    """The variables of ``log_vars`` or ``plot_vars`` that a run keeps, and what is told of those left out.

    `all` asks for what there is. ConfigError where one that was named cannot be had from the simulator.
    """
    asked: frozenset[str] = getattr(settings.output, key)
    simulator = settings.simulation.simulator
    lacking = {row: asked & names for row, names in _not_given(simulator).items() if asked & names}
    if not lacking or not settings.tools.simulate:
        return asked, ""
    left_out = frozenset().union(*lacking.values())
    wrong = f"output.{key}: {', '.join(sorted(left_out))}: {simulator} gives no {_words(lacking)}"
    if asked == frozenset(keys()[f"output.{key}"].all_of):
        return asked - left_out, f"{wrong}; left out"
    able = recording_simulators(lacking.keys())
    raise ConfigError(wrong, hint=f"leave it out, or simulation.simulator = {' or '.join(able)}")


def _not_given(simulator: str) -> dict[Feature, frozenset[str]]:
    held = backend_named(simulator).capabilities.features
    return {row: names for row, names in OF_RECORDINGS.items() if row not in held}


def _words(rows: dict[Feature, frozenset[str]]) -> str:
    return " and no ".join(row.words for row in rows)
