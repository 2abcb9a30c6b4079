"""A search from settings to files: reads a configuration and its calibration data, writes the best configuration."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snntoolbox.analysis.settings import written
from snntoolbox.analysis.tuning.tune import tune
from snntoolbox.analysis.tuning.tuning import Trial, Tuning
from snntoolbox.errors import ConfigError
from snntoolbox.ir.drawing import canvas
from snntoolbox.ir.files import RunFolder
from snntoolbox.ir.foreign import longer, shown
from snntoolbox.ir.node import Array
from snntoolbox.ir.progress import bar, portion
from snntoolbox.ir.writing import check_writable, replacing, write_json, write_text
from snntoolbox.workflow.choices import as_key, check_choices, presents_events, recipe_of
from snntoolbox.workflow.config.conversion_keys import CODES
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.raw_config import read_file, read_overrides
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.config.template import config_text
from snntoolbox.workflow.config.values import spelled
from snntoolbox.workflow.inputs import Inputs, open_inputs
from snntoolbox.workflow.journal import watching
from snntoolbox.workflow.models import check_folder
from snntoolbox.workflow.options import BUILT_IN, options_of
from snntoolbox.workflow.own_keys import in_own_keys
from snntoolbox.workflow.preparation import resets_alone
from snntoolbox.workflow.report.html.page import write_page
from snntoolbox.workflow.report.html.tune_page import tune_page
from snntoolbox.workflow.report.plots import Point, pareto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

TUNED = "-tune"
"""Behind the name of a run's folder."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a search is asked for: the arguments of `tune` that say so."""

    steps: Sequence[int] = ()
    agreement: float | None = None
    operations: float | None = None
    budget: float = 120.0
    keep: Sequence[str] = ()


@dataclass(frozen=True)
class Tuned:
    """What was found, the configuration that was written, and the folder with ``tune.json`` and ``tune.png``."""

    tuning: Tuning
    config: Path
    folder: Path


def tune_config(
    config: Path, overrides: Iterable[str] = (), *, search: Search, output: Path | None = None, force: bool = False
) -> Tuned:
    """Search the settings around a configuration, see `tune`; the test set is not read.

    The best is written to `output` (default: tuned.ini beside the configuration), which must not exist unless
    `force`; the folder is that of a run with `-tune` behind. Whatever can be refused is refused before the search.
    """
    overrides = list(overrides)
    settings = load_config(config, overrides)
    target = _target(config, output, force)
    _check(settings)
    place = settings.paths.log_dir_of_current_run
    folder = RunFolder(place.with_name(longer(place.name, TUNED)), overwrite=settings.output.overwrite)
    with folder as into:
        inputs = open_inputs(_without_test(settings), log.warning)
        tuning = _searched(inputs, settings, search)
        text = tuned_text(config, overrides, settings, tuning, target)
        about = {"model": inputs.source, "config": config, "tuned": target}
        write_json(into / "tune.json", {**about, **tuning.data(as_key)})
        write_page(into / "report.html", tune_page(tuning.data(as_key), settings, str(target)), log.warning)
        write_text(into / "config.ini", config_text(settings))
        drawn = settings.output.plotproperties
        canvas.save_if_possible(lambda: pareto(points(tuning), **_about(tuning)), into / "tune.png", log.warning, drawn)
    _write(target, text)
    return Tuned(tuning, target, folder.path)


def _searched(inputs: Inputs, settings: Settings, search: Search) -> Tuning:
    """The search itself, around the recipe of the settings."""
    data, simulation = _calibration(inputs), settings.simulation
    assert inputs.leading is not None
    low, high = min(float(data.min()), 0.0), max(float(data.max()), 0.0) or 1.0
    with watching(settings.output.verbose), _bar(search.budget) as spent, _quietly(), in_own_keys(settings):
        return tune(
            inputs.leading,
            data,
            duration=simulation.duration,
            recipe=recipe_of(settings, max(-low, high), (low, high)),
            simulator=simulation.simulator,
            early_exit=simulation.early_exit,
            options=options_of(settings, BUILT_IN),
            progress=spent,
            **vars(search),
        )


def _target(config: Path, output: Path | None, force: bool) -> Path:
    target = (output or config.with_name("tuned.ini")).expanduser().absolute()
    if target.is_dir() or (target.exists() and not force):
        raise ConfigError(f"'{target}' exists", hint="--force replaces a file, -o names another")
    if target.resolve() == config.resolve():
        raise ConfigError(f"'{target}' is the configuration itself", hint="-o names another file")
    if not target.parent.is_dir():
        raise ConfigError(f"there is no folder '{target.parent}' to write to")
    check_writable(target)
    return target


def _check(settings: Settings) -> None:
    """ConfigError for what leaves nothing to search, before anything is opened."""
    check_folder(settings.paths.path_wd)
    if settings.parameter_sweep.param_values:
        raise ConfigError(
            "a search does not go with [parameter_sweep]", hint="--set parameter_sweep.param_values=[]"
        )
    resets_alone(settings, "a search")
    check_choices(settings)
    if settings.cell.i_offset:
        raise ConfigError("a search tries networks without [cell] i_offset", hint="--set cell.i_offset=0")
    if not settings.tools.normalize:
        raise ConfigError("a search needs thresholds that are chosen by data", hint="set [tools] normalize = True")
    if presents_events(settings):
        told = "a search tries networks on frames, and cannot present events"
        raise ConfigError(told, hint="save frames as x_test.npz and x_norm.npz, with dataset_format = npz")
    folder, files = settings.paths.dataset_path, ("x_norm", "x_norm.npz", "x_norm.npy")
    if settings.input.dataset_format != "npz" and not any((folder / name).exists() for name in files):
        raise ConfigError(
            "there are no calibration samples: the test images would serve, and a search must not see those",
            hint=f"put some hundred training images into '{folder / 'x_norm'}'",
        )


def _without_test(settings: Settings) -> Settings:
    """The settings with which the model is opened and checked on random input, not on the test set."""
    tools = replace(settings.tools, evaluate_ann=False, convert=True, simulate=True)
    return replace(settings, tools=tools)


def _calibration(inputs: Inputs) -> Array:
    folder = inputs.settings.paths.dataset_path
    if inputs.calibration is None:
        raise ConfigError(
            f"there are no calibration samples: '{folder}' holds no x_norm.npz",
            hint="save a few hundred training samples there, without labels: np.savez_compressed('x_norm.npz', x)",
        )
    return inputs.calibration


@contextmanager
def _quietly() -> Iterator[None]:
    """Each trial would repeat what a conversion has to say."""
    ours = logging.getLogger("snntoolbox")
    level = ours.level
    ours.setLevel(logging.ERROR)
    try:
        yield
    finally:
        ours.setLevel(level)


@contextmanager
def _bar(budget: float) -> Iterator[Callable[[float], None]]:
    """What tells a progress bar the seconds spent."""
    with bar("Tuning (seconds, at most)", round(budget)) as advance:
        yield portion(advance, round(budget), budget)


def tuned_text(config: Path, overrides: Sequence[str], settings: Settings, tuning: Tuning, target: Path) -> str:
    """The user's configuration with the best settings in place: what was set before, as it was written, stays."""
    texts = {**read_file(config).texts, **read_overrides(overrides).texts}
    values = {f"{section}.{name}": text for (section, name), text in texts.items()}
    duration = round(tuning.duration)
    chosen = _without_code(values, settings)
    chosen |= {setting.path: setting.value for setting in written(tuning.changes, as_key)}
    chosen |= {"simulation.duration": duration, "tools.convert": True, "tools.normalize": True}
    if "paths.log_dir_of_current_run" not in values:
        chosen["paths.runlabel"] = f"{settings.paths.runlabel}-tuned"
    if target.parent.resolve() != config.parent.resolve() or "paths.path_wd" in values:
        chosen["paths.path_wd"] = str(settings.paths.path_wd.resolve())
    values.update({key: spelled(value) for key, value in chosen.items()})
    sections: dict[str, list[str]] = {}
    for key, text in values.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, []).append(f"{name} = {text}".replace("\n", "\n    ").rstrip())
    head = [f"# {line}" for line in _head(config, tuning)]
    return "\n".join([*head, *("\n".join(["", f"[{s}]", *lines]) for s, lines in sections.items())]) + "\n"


def _without_code(values: dict[str, str], settings: Settings) -> dict[str, object]:
    """What a code of the toolbox sets, as keys that a search may change; it goes from `values`, with its digits."""
    if settings.conversion.spike_code not in CODES:
        return {}
    for name in ("spike_code", "num_bits"):
        values.pop(f"conversion.{name}", None)
    return {"conversion.schedule": settings.conversion.schedule}


def _head(config: Path, tuning: Tuning) -> list[str]:
    best, outcome = tuning.best, tuning.best.measured.outcome
    score = f"error {outcome.output_error:.1%}" if outcome.agreement is None else f"agreement {outcome.agreement:.1%}"
    return [
        f"{shown(config.name)} as `snntoolbox tune` would have it:",
        f"{score}, {best.steps:.4g} steps, {best.measured.operations:,.0f} synaptic operations",
        f"on {best.samples} calibration samples that were held back.",
    ]


def _write(target: Path, text: str) -> None:
    """Write the best configuration, if it can be read."""
    with replacing(target) as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        load_config(Path(file.name))


def points(tuning: Tuning) -> list[Point]:
    """The trials as they are drawn."""

    def point(trial: Trial) -> Point:
        agreement = trial.measured.outcome.agreement
        quality = trial.measured.outcome.output_error if agreement is None else agreement
        marks: Mapping[str, bool] = {"on_front": trial in tuning.front, "best": trial is tuning.best}
        return Point(quality, trial.steps, trial.measured.operations, start=trial is tuning.start, **marks)

    return [point(trial) for trial in tuning.trials]


def _about(tuning: Tuning) -> dict[str, Any]:
    classes = tuning.best.measured.outcome.agreement is not None
    return {"agreement": classes, "target": tuning.target.agreement, "samples": tuning.best.samples}
