"""A run whose errors are followed up: how sure thresholds are, and which settings make the errors less."""

from __future__ import annotations

from functools import partial

from snntoolbox.analysis.advice.diagnose import advised, check_seconds, untried
from snntoolbox.analysis.diagnosis.diagnosis import Diagnosis
from snntoolbox.analysis.diagnosis.observer import incomparable, made_comparable
from snntoolbox.conversion.smallest_network import smallest_network
from snntoolbox.errors import ConfigError
from snntoolbox.workflow.choices import check_choices, notation_of, presents_events
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.options import BUILT_IN, options_of
from snntoolbox.workflow.own_keys import in_own_keys
from snntoolbox.workflow.preparation import Prepared, resets_alone
from snntoolbox.workflow.stories.run import FinishedRun, run


def diagnose_settings(settings: Settings, seconds: float) -> FinishedRun:
    """Do what a configuration asks for, and try settings on its calibration data for about so many seconds."""
    check_seconds(seconds)
    if settings.cell.i_offset:
        raise ConfigError("a diagnosis tries networks without [cell] i_offset", hint="--set cell.i_offset=0")
    if presents_events(settings):
        told = "a diagnosis tries networks on frames, and cannot present events"
        raise ConfigError(told, hint="`snntoolbox run` reports the errors of all layers without trying")
    resets_alone(settings, "a diagnosis")
    _check_comparable(settings)
    return run(settings, advise=partial(_advise, seconds=seconds))


def _check_comparable(settings: Settings) -> None:
    """ConfigError where the errors of the network could not be split, before anything is opened."""
    recipe = check_choices(settings)
    if recipe is None:
        return
    network = smallest_network(recipe, settings.simulation.duration)
    if reason := incomparable(network):
        told = f"the errors of this network cannot be split into causes: {reason}"
        with in_own_keys(settings):
            raise ConfigError(told, hint=made_comparable(network) or "`snntoolbox run` simulates it")


def _advise(prepared: Prepared, diagnosis: Diagnosis | None, *, seconds: float) -> Diagnosis:
    """The diagnosis with advice; ConfigError where there is none."""
    inputs, simulation = prepared.inputs, prepared.settings.simulation
    if diagnosis is None or prepared.recipe is None or prepared.network is None or inputs.leading is None:
        reason = "" if prepared.network is None else incomparable(prepared.network)
        told = f"the errors of this network cannot be split into causes{': ' if reason else ''}{reason}"
        raise ConfigError(told, hint="`snntoolbox run` simulates it")
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
