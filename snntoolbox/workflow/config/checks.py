"""What must hold between the keys of a configuration."""

from __future__ import annotations

from pathlib import PurePath

from snntoolbox.ir.float32 import RANGE, held
from snntoolbox.ir.time_steps import whole_steps
from snntoolbox.workflow.config.cell_keys import Cell, height
from snntoolbox.workflow.config.conversion_keys import CODES, PATTERN, RATES, always_fires, bits_sent, readout_of
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.config.sweeping import problems_of_sweep


def problems_across_keys(settings: Settings, user_keys: frozenset[str]) -> list[str]:
    """Return every condition between keys that `settings` break; `user_keys` are those that the user set."""
    problems = [*_files(settings), *_saved(settings), *_label(settings), *_time(settings), *_events(settings)]
    problems += [*_code(settings, user_keys), *_readout(settings, user_keys), *_special(settings)]
    if settings.cell.quantize_weights and not settings.conversion.weight_bits:
        problems.append("cell.quantize_weights = True: conversion.weight_bits = 0 turns it off; leave one of them out")
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
    for name in ("tau_refrac", "delay"):
        if whole_steps(time := getattr(cell, name), simulation.dt) is None:
            problems.append(f"cell.{name} = {time}: must be a whole number of steps of {simulation.dt} ms")
    online, every = settings.normalization.online_normalization, settings.normalization.timestep_fraction
    if online and not whole_steps(every, simulation.dt):
        problems.append(
            f"normalization.timestep_fraction = {every}: must be a whole number of steps of {simulation.dt} ms"
        )
    if settings.input.poisson_input and settings.input.input_rate * simulation.dt > 1000:
        problems.append(
            f"input.input_rate = {settings.input.input_rate}: is more than one spike per step of {simulation.dt} ms; "
            f"at most {1000 / simulation.dt:g} Hz fit, or a smaller simulation.dt"
        )
    problems += _codings(settings)
    problems += _latency(settings)
    if cell.v_rest >= cell.v_thresh:
        return [*problems, f"cell.v_thresh = {cell.v_thresh}: must be above cell.v_rest, which is {cell.v_rest}"]
    problems += _limits(cell)
    units = {"v_reset": 1.0 if cell.reset == "zero" else 0.0, "i_offset": simulation.dt}
    for name, factor in units.items():
        value = getattr(cell, name)
        if not held((value - (cell.v_rest if name == "v_reset" else 0)) / height(settings) * factor):
            problems.append(f"cell.{name} = {value}: in units of cell.v_thresh, {cell.v_thresh}, it is {RANGE}")
    if cell.reset == "zero" and cell.v_reset >= cell.v_thresh:
        problems.append(f"cell.v_reset = {cell.v_reset}: must be below cell.v_thresh, which is {cell.v_thresh}")
    return problems


def _codings(settings: Settings) -> list[str]:
    """One coding of an input."""
    codings = ("poisson_input", "latency_input", "digit_input")
    chosen = [f"input.{name}" for name in codings if getattr(settings.input, name)]
    if len(chosen) < 2:
        return []
    first, *others = chosen
    ways = " or ".join(f"{name} = False" for name in chosen)
    return [f"{' and '.join(others)} = True: {first} is another coding, and there is one; set {ways}"]


def _latency(settings: Settings) -> list[str]:
    """Of windows that recur whole ones, as larger values come first in each."""
    given, simulation = settings.input, settings.simulation
    if not given.latency_input:
        return []
    steps = whole_steps(simulation.duration, simulation.dt)
    if steps is not None and steps % given.latency_steps and always_fires(settings):
        near = min((n for n in range(1, steps + 1) if steps % n == 0), key=lambda n: abs(n - given.latency_steps))
        told = f"must divide the {steps} steps of simulation.duration, so that the last window ends"
        told += f"; set input.latency_steps = {near}"
        return [f"input.latency_steps = {given.latency_steps}: {told}"]
    return []


def _code(settings: Settings, user_keys: frozenset[str]) -> list[str]:
    """A code that is a schedule cannot stand beside another one; a pattern has a step for each of its digits."""
    code, schedule, dt = settings.conversion.spike_code, settings.conversion.schedule, settings.simulation.dt
    if code == PATTERN and settings.simulation.duration != (time := bits_sent(settings) * dt):
        told = f"must make a duration of whole ms in steps of {dt} ms, and makes {time:g}"
        return [f"conversion.num_bits = {settings.conversion.num_bits}: {told}"]
    if code not in CODES or "conversion.schedule" not in user_keys or CODES[code] == schedule:
        return []
    own = f"is schedule = {CODES[code]}, and conversion.schedule = {schedule}"
    ways = f"conversion.spike_code = {RATES} or conversion.schedule = {CODES[code]}"
    return [f"conversion.spike_code = {code}: {own}; set {ways}"]


def _readout(settings: Settings, user_keys: frozenset[str]) -> list[str]:
    """A softmax is appended to linear outputs, as those are that nobody set; spikes are another read-out."""
    chosen = settings.conversion
    if not chosen.append_softmax or chosen.readout != "spikes" or "conversion.readout" not in user_keys:
        return []
    other = f"conversion.append_softmax = True is readout = {readout_of(settings)}"
    ways = "conversion.readout = linear or conversion.append_softmax = False"
    return [f"conversion.readout = {chosen.readout}: {other}; set {ways}"]


def _special(settings: Settings) -> list[str]:
    """Parts in the place of the usual ones that others, or other keys, choose too."""
    cell, dt = settings.cell, settings.simulation.dt
    switches = {
        "cell.payloads": cell.payloads,
        "normalization.online_normalization": settings.normalization.online_normalization,
    }
    chosen = [f"{name} =" for name, on in switches.items() if on]
    if not (chosen and settings.tools.convert):
        return []
    if len(chosen) > 1:
        told = "lets spikes carry their threshold, cell.payloads = True all of the potential"
        told += "; set normalization.online_normalization = False or cell.payloads = False"
        return [f"normalization.online_normalization = True: {told}"]
    others = {
        f"cell.spikes = {cell.spikes}": ("cell.spikes = unsigned", cell.spikes != "unsigned"),
        f"cell.levels = {list(cell.levels)}": ("cell.levels = [1]", cell.levels != (1.0,)),
        f"cell.reset = {cell.reset}": ("cell.reset = subtract", cell.reset != "subtract"),
        f"cell.tau_refrac = {cell.tau_refrac}": ("cell.tau_refrac = 0", (whole_steps(cell.tau_refrac, dt) or 0) > 1),
    }
    (switch,) = chosen
    return [
        f"{other}: does not go with {switch} True, which says itself what spikes carry and take from the potential; "
        f"set {usual} or {switch} False"
        for other, (usual, differs) in others.items()
        if differs
    ]


def _limits(cell: Cell) -> list[str]:
    """What is no lowest and highest potential, with that at rest between them."""
    if cell.v_limits is None or cell.v_limits[0] <= cell.v_rest <= cell.v_limits[1]:
        return []
    told = f"must be a lowest and a highest potential with cell.v_rest, which is {cell.v_rest}, between them"
    return [f"cell.v_limits = {list(cell.v_limits)}: {told}"]


def _workers(settings: Settings) -> list[str]:
    if settings.simulation.workers and settings.simulation.scheduler:
        return ["simulation.workers: a simulation.scheduler has workers of its own; leave one of the two out"]
    return []


def _sweep(settings: Settings) -> list[str]:
    sweep = settings.parameter_sweep
    if not sweep.param_values:
        return []
    return problems_of_sweep(sweep.param_name, sweep.param_values, settings, logarithmic=sweep.param_logscale)


def _events(settings: Settings) -> list[str]:
    data, labels = settings.input, settings.input.label_dict
    if data.dataset_format != "events":
        return []
    problems = []
    numbers = [*labels.values()]
    if not all(type(number) is int and number >= 0 for number in numbers):
        problems.append(f"input.label_dict = {labels}: must number the class folders, counted from 0")
    elif labels and settings.paths.class_idx_path is not None:
        problems.append("input.label_dict: paths.class_idx_path numbers the class folders too; leave one of them out")
    return problems


def _images(settings: Settings, user_keys: frozenset[str]) -> list[str]:
    named = settings.input.keras_dataset
    if settings.input.dataset_format != "npz":
        odd = "is instead of files; leave it out, or input.dataset_format"
        return [f"input.keras_dataset = {named}: {odd}"] if named else []
    values = {
        "input.datagen_kwargs": {} if named else settings.input.datagen_kwargs,
        "input.dataflow_kwargs": settings.input.dataflow_kwargs,
        "paths.class_idx_path": settings.paths.class_idx_path,
    }
    return [
        f"{name} = {value}: is for folders of images or recordings only; leave it out or set "
        "input.dataset_format = jpg or events"
        for name, value in values.items()
        if name in user_keys and value
    ]
