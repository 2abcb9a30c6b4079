"""What must hold between the keys of a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import PurePath

from snntoolbox.ir.time_steps import whole_steps
from snntoolbox.workflow.config.schema import Settings, keys
from snntoolbox.workflow.config.values import show

_FIXED_SECTIONS = ("output", "tools", "parameter_sweep")
_FIXED = {
    "cell.v_thresh": "weights are scaled to the threshold: every value gives the same; vary "
    "normalization.percentile or simulation.duration",
    **dict.fromkeys(
        (
            "paths.path_wd",
            "paths.runlabel",
            "paths.log_dir_of_current_run",
            "simulation.workers",
            "simulation.scheduler",
        ),
        "is the same for all points of a sweep",
    ),
}


def swept_key(name: str) -> str:
    """Return ``section.key`` for the `name` in a configuration, where keys of [cell] stand alone."""
    return name if "." in name else f"cell.{name}"


def problems_of_sweep(name: str, values: Sequence[object]) -> list[str]:
    """Return what keeps `values` of the key `name` from being swept; whether each one is allowed is told elsewhere."""
    key = swept_key(name)
    if key not in keys():
        near = get_close_matches(key, keys(), 1) or get_close_matches(f"simulation.{name}", keys(), 1)
        return [f"parameter_sweep.param_name = {name}: is no key{f'; did you mean {near[0]}?' if near else ''}"]
    if key in _FIXED:
        return [f"parameter_sweep.param_name = {name}: {_FIXED[key]}"]
    if key.split(".")[0] in _FIXED_SECTIONS:
        return [f"parameter_sweep.param_name = {name}: is the same for all points of a sweep"]
    texts = [show(value) for value in values]
    if again := sorted({text for text in texts if texts.count(text) > 1}):
        return [f"parameter_sweep.param_values: {', '.join(again)} comes more than once"]
    return []


def problems_across_keys(settings: Settings, user_keys: frozenset[str]) -> list[str]:
    """Return every condition between keys that `settings` break; `user_keys` are those that the user set."""
    problems = [*_files(settings), *_saved(settings), *_label(settings), *_time(settings)]
    return [*problems, *_images(settings, user_keys), *_workers(settings), *_sweep(settings)]


def _files(settings: Settings) -> list[str]:
    paths, tools = settings.paths, settings.tools
    problems = []
    if not paths.filename_ann and (tools.parse or tools.evaluate_ann):
        stage = "tools.parse" if tools.parse else "tools.evaluate_ann"
        problems.append(f"paths.filename_ann: is required when {stage} = True; set it to the name of the model file")
    if tools.convert and not tools.parse and not paths.filename_parsed_model:
        problems.append("paths.filename_parsed_model: is required when tools.parse = False and no filename_ann is set")
    if tools.simulate and not tools.convert and not paths.filename_snn:
        problems.append("paths.filename_snn: is required when tools.convert = False and no filename_ann is set")
    return problems


def _saved(settings: Settings) -> list[str]:
    """Both networks are saved in one folder, under the last part of their names."""
    paths, tools = settings.paths, settings.tools
    names = {"filename_parsed_model": paths.filename_parsed_model, "filename_snn": paths.filename_snn}
    wrong = [name for name, text in names.items() if text and not PurePath(text).name]
    if wrong:
        return [f"paths.{name} = {names[name]}: must be the name of a file" for name in wrong]
    parsed, snn = (PurePath(text).name.casefold() for text in names.values())
    if tools.parse and tools.convert and parsed and parsed == snn:
        return [f"paths.filename_snn = {paths.filename_snn}: is also the name of the parsed network; choose another"]
    return []


def _label(settings: Settings) -> list[str]:
    label = PurePath(settings.paths.runlabel)
    if not label.name or label.is_absolute() or ".." in label.parts:
        return [f"paths.runlabel = {settings.paths.runlabel}: must be a name that can be a folder in path_wd/log"]
    return []


def _time(settings: Settings) -> list[str]:
    simulation, cell = settings.simulation, settings.cell
    problems = []
    if simulation.dt > simulation.duration:
        problems.append(
            f"simulation.dt = {simulation.dt}: must be at most simulation.duration, which is {simulation.duration}"
        )
    if whole_steps(cell.tau_refrac, simulation.dt) is None:
        problems.append(f"cell.tau_refrac = {cell.tau_refrac}: must be a whole number of steps of {simulation.dt} ms")
    if settings.input.poisson_input and settings.input.input_rate * simulation.dt > 1000:
        problems.append(
            f"input.input_rate = {settings.input.input_rate}: is more than one spike per step of {simulation.dt} ms; "
            f"at most {1000 / simulation.dt:g} Hz fit, or a smaller simulation.dt"
        )
    if cell.reset == "zero" and cell.v_reset >= cell.v_thresh:
        problems.append(f"cell.v_reset = {cell.v_reset}: must be below cell.v_thresh, which is {cell.v_thresh}")
    return problems


def _workers(settings: Settings) -> list[str]:
    if settings.simulation.workers and settings.simulation.scheduler:
        return ["simulation.workers: a simulation.scheduler has workers of its own; leave one of the two out"]
    return []


def _sweep(settings: Settings) -> list[str]:
    sweep = settings.parameter_sweep
    return problems_of_sweep(sweep.param_name, sweep.param_values) if sweep.param_values else []


def _images(settings: Settings, user_keys: frozenset[str]) -> list[str]:
    if settings.input.dataset_format != "npz":
        return []
    values = {
        "input.datagen_kwargs": settings.input.datagen_kwargs,
        "input.dataflow_kwargs": settings.input.dataflow_kwargs,
        "paths.class_idx_path": settings.paths.class_idx_path,
    }
    return [
        f"{name} = {value}: is for image folders only; leave it out or set input.dataset_format = jpg"
        for name, value in values.items()
        if name in user_keys and value
    ]
