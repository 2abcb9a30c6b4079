"""Networks that an earlier run saved: where they are, and whether they belong to the settings of this one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from snntoolbox.conversion.spiking.clamp import Clamp, clamped_steps
from snntoolbox.errors import ConfigError
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Shape
from snntoolbox.workflow.choices import presents_events
from snntoolbox.workflow.config.clamps import clamps_of
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.schema import Settings, keys
from snntoolbox.workflow.config.values import show

_OF_EVENTS = ("input.dataset_format", "input.datagen_kwargs", "simulation.duration")
"""Keys that say what an event is worth."""
_CLAMPS = "paths.filename_clamp_indices"
"""Of this key it is what the file says that counts, and not where it is."""
_AGAIN = "set convert = True to convert again"


def saved_file(settings: Settings, name: str) -> Path | None:
    """Where an earlier run saved a network: its run folder, or the working folder; None where neither has it."""
    paths = settings.paths
    places = [folder / f"{name}.npz" for folder in (paths.log_dir_of_current_run, paths.path_wd)]
    return next((place for place in places if place.is_file()), None)


def needed_file(settings: Settings, name: str) -> Path:
    """The same; ConfigError where there is none."""
    if (file := saved_file(settings, name)) is None:
        raise ConfigError(
            f"there is no saved network '{name}.npz' in '{settings.paths.log_dir_of_current_run}'",
            hint="run once with parse = True and convert = True",
        )
    return file


def check_saved(
    network: SpikingNetwork, settings: Settings, inputs: list[Shape], classes: int, warn: Callable[[str], None]
) -> None:
    """ConfigError unless a saved network has the steps and the choices of the settings, these inputs and classes.

    `warn` is told where it was fitted to a run of another duration.
    """
    dt, name = settings.simulation.dt, settings.paths.filename_snn
    if network.dt != dt:
        raise ConfigError(f"[simulation] dt = {dt}, the saved network has steps of {network.dt} ms", hint=_AGAIN)
    _check_choices(settings, warn)
    _check_clamps(network, settings)
    shapes = [network.wiring.shapes[i] for i in network.encodings]
    if shapes != inputs or math.prod(network.readouts[0].shape) != classes:
        raise ConfigError(f"the saved network '{name}' is of another model", hint=_AGAIN)


def _check_choices(now: Settings, warn: Callable[[str], None]) -> None:
    """That the saved network was made with the choices that the settings name."""
    file = needed_file(now, now.paths.filename_snn).with_name("config.ini")
    if not file.is_file():
        return
    then = load_config(file)
    if differing := _differing(now, then):
        other = f"was converted with other settings: {'; '.join(differing)}"
        raise ConfigError(f"the saved network '{now.paths.filename_snn}' {other}", hint=_AGAIN)
    chosen, before, duration = then.conversion, then.simulation.duration, now.simulation.duration
    fitted = chosen.readout_correction or chosen.layer_correction != "none" or chosen.threshold_rule != "percentile"
    if fitted and before != duration:
        warn(
            f"the saved network was fitted to a run of {before} ms, not {duration} ms; convert = True fits it anew"
        )


def _check_clamps(network: SpikingNetwork, settings: Settings) -> None:
    """That it holds the layers that the file of clamps says now: the file may have been edited, or moved."""
    path = settings.paths.filename_clamp_indices
    now, then = Clamp(dict(clamps_of(settings))).steps_in(network), clamped_steps(network)
    if now != then:
        told = f"{_CLAMPS} = {show(path)} holds layers for these steps: {now or 'none'}"
        other = f"the saved network '{settings.paths.filename_snn}' for these: {then or 'none'}"
        raise ConfigError(f"{told}; {other}", hint=_AGAIN)


def _differing(now: Settings, then: Settings) -> list[str]:
    """The choices of the conversion that are not as they were: a converted network cannot change any of them."""
    fixed = _OF_EVENTS if presents_events(now) or presents_events(then) else ()
    rows = [row for row in keys().values() if row.path != _CLAMPS]
    chosen = (row for row in rows if row.recipe or row.saved or row.path in fixed)
    values = ((row.path, row.value_in(now), row.value_in(then)) for row in chosen)
    return [f"{path} = {value} (saved with {before})" for path, value, before in values if value != before]
