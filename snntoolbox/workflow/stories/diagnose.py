"""A run whose errors are followed up: how sure thresholds are, and which settings make the errors less."""

from __future__ import annotations

from functools import partial

from snntoolbox.analysis.advice.diagnose import advised, check_seconds, untried
from snntoolbox.analysis.diagnosis.diagnosis import Diagnosis
from snntoolbox.errors import ConfigError
from snntoolbox.workflow.choices import notation_of, presents_events
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.options import BUILT_IN, options_of
from snntoolbox.workflow.preparation import Prepared
from snntoolbox.workflow.stories.run import FinishedRun, run


def diagnose_settings(settings: Settings, seconds: float) -> FinishedRun:
    """Do what a configuration asks for, and try settings on its calibration data for about so many seconds."""
    check_seconds(seconds)
    if settings.cell.i_offset:
        raise ConfigError("a diagnosis tries networks without [cell] i_offset", hint="--set cell.i_offset=0")
    if presents_events(settings):
        told = "a diagnosis tries networks on frames, and cannot present events"
        raise ConfigError(told, hint="`snntoolbox run` reports the errors of all layers without trying")
    return run(settings, advise=partial(_advise, seconds=seconds))


def _advise(prepared: Prepared, diagnosis: Diagnosis | None, *, seconds: float) -> Diagnosis:
    """The diagnosis with advice; ConfigError where there is none."""
    inputs, simulation = prepared.inputs, prepared.settings.simulation
    if diagnosis is None or prepared.recipe is None or prepared.network is None or inputs.leading is None:
        raise ConfigError("the errors of this network cannot be split", hint="`snntoolbox run` simulates it")
    if inputs.calibration is None:
        return untried(diagnosis, prepared.recipe, simulation.duration, notation_of(prepared.settings))
    return advised(
        diagnosis,
        inputs.leading,
        [inputs.calibration],
        prepared.network,
        prepared.recipe,
        simulation.duration,
        simulation.simulator,
        seconds,
        simulation.early_exit,
        options_of(prepared.settings, BUILT_IN),
        notation_of(prepared.settings),
    )
