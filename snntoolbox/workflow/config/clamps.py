"""Reads the file that says for how long which layers are held: `filename_clamp_indices`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snntoolbox.errors import ConfigError
from snntoolbox.ir.regular_files import check_regular
from snntoolbox.ir.time_steps import whole_steps

_FORM = 'its form is {"0": 5, "conv2": 10}: ms, by layers'


def clamps_of(settings: Any) -> tuple[tuple[str, int], ...]:
    """The layers, by name or place, and their numbers of steps; ConfigError where the file does not say that."""
    path = settings.paths.filename_clamp_indices
    return () if path is None else tuple((name, _steps(path, name, ms, settings)) for name, ms in _read(path))


def _read(path: Path) -> list[tuple[str, Any]]:
    check_regular(path)
    try:
        rows = json.loads(path.read_text("utf-8"), object_pairs_hook=list)
        pairs = [(str(name), ms) for name, ms in rows]
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist", hint="correct paths.filename_clamp_indices") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as times of layers ({error})", hint=_FORM) from error
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"{path} names {', '.join(twice)} twice", hint="name each layer once")
    return pairs


def _steps(path: Path, name: str, ms: Any, settings: Any) -> int:
    dt = settings.simulation.dt
    steps = whole_steps(ms, dt) if isinstance(ms, int | float) and not isinstance(ms, bool) and ms >= 0 else None
    if steps is None:
        told = f"{path} holds layer {name} for {ms}, which is no number of steps of {dt} ms"
        raise ConfigError(told, hint=_FORM)
    simulation = settings.simulation
    samples = simulation.reset_between_nth_sample  # of one film, whose start is that of the first
    if 0 < samples * simulation.steps < steps:
        run = f"{samples * simulation.duration} ms"
        raise ConfigError(f"{path} holds layer {name} for {ms} ms, longer than the run of {run}", hint=_FORM)
    return steps
