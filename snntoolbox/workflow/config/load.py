"""From a configuration file to `Settings`, or one error that names every problem in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from snntoolbox.workflow.config.cell_keys import QUANTIZED_BITS
from snntoolbox.workflow.config.checks import problems_across_keys
from snntoolbox.workflow.config.conversion_keys import PATTERN, bits_sent, readout_of, schedule_of
from snntoolbox.workflow.config.interpolation import References
from snntoolbox.workflow.config.naming import Names, canonical, did_you_mean, known_sections
from snntoolbox.workflow.config.presets import PRESETS
from snntoolbox.workflow.config.raw_config import (
    Config,
    RawConfig,
    problems_of,
    read_file,
    read_mapping,
    read_overrides,
)
from snntoolbox.workflow.config.reading import value_of
from snntoolbox.workflow.config.schema import EARLY_STOPPING, MODEL_SUFFIXES, Paths, Settings, keys, sections
from snntoolbox.workflow.config.sweeping import first_point
from snntoolbox.workflow.config.unused import idle, of_others
from snntoolbox.workflow.config.values import unquoted

FILES = (
    *(("simulation", "architecture"), ("input", "converter_python")),
    *(("lava", "python"), ("spinnaker", "python")),
)
"""Keys that name a file of the user's, or what lies elsewhere: a chip that is known, a program of the search path."""


def with_derived(settings: Settings, user_keys: frozenset[str], folder: Path) -> Settings:
    """Return `settings` with every path absolute and unset names filled in.

    `user_keys` are those that the user set, `folder` is where the configuration file lies.
    """
    paths = _paths(settings.paths, user_keys, settings.simulation.simulator, folder)
    tools = settings.tools
    if not paths.filename_ann and "tools.evaluate_ann" not in user_keys:
        tools = replace(tools, evaluate_ann=False)
    if tools.serialise_only:
        tools = replace(tools, simulate=False)
    simulation, conversion = settings.simulation, settings.conversion
    if "conversion.schedule" not in user_keys:
        conversion = replace(conversion, schedule=schedule_of(settings))
    if "conversion.readout" not in user_keys:
        conversion = replace(conversion, readout=readout_of(settings))
    if settings.cell.quantize_weights and "conversion.weight_bits" not in user_keys:
        conversion = replace(conversion, weight_bits=QUANTIZED_BITS)
    if simulation.early_stopping and "simulation.early_exit" not in user_keys:
        simulation = replace(simulation, early_exit=EARLY_STOPPING)
    if settings.conversion.spike_code == PATTERN:
        simulation = replace(simulation, duration=max(1, round(bits_sent(settings) * simulation.dt)))
    changed = replace(settings, paths=paths, tools=tools, conversion=conversion, simulation=simulation)
    return _with_files(changed, paths.path_wd)


def _with_files(settings: Settings, work: Path) -> Settings:
    """The settings whose interpreters and architecture of a chip are absolute, where they lie in the working folder."""
    for section, name in FILES:
        part = getattr(settings, section)
        text = getattr(part, name)
        named = os.sep in text or text.endswith(".yaml")
        if named and (path := _absolute(Path(text), work)).is_file():
            settings = replace(settings, **{section: replace(part, **{name: str(path)})})
    return settings


def model_name(filename_ann: str) -> str:
    """Return the file name of a model without folder and without a known suffix."""
    name = Path(filename_ann).name
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in MODEL_SUFFIXES else name


def _paths(paths: Paths, user_keys: frozenset[str], simulator: str, folder: Path) -> Paths:
    work = _absolute(paths.path_wd, folder)
    name = model_name(paths.filename_ann)
    return replace(
        paths,
        path_wd=work,
        dataset_path=_absolute(paths.dataset_path, work),
        log_dir_of_current_run=(
            _absolute(paths.log_dir_of_current_run, work)
            if "paths.log_dir_of_current_run" in user_keys
            else work / "log" / paths.runlabel
        ),
        class_idx_path=_absolute(paths.class_idx_path, work) if paths.class_idx_path else None,
        filename_clamp_indices=(
            _absolute(paths.filename_clamp_indices, work) if paths.filename_clamp_indices else None
        ),
        filepath_custom_objects=(
            _absolute(paths.filepath_custom_objects, work) if paths.filepath_custom_objects else None
        ),
        filename_parsed_model=paths.filename_parsed_model or (name and f"{name}_parsed"),
        filename_snn=paths.filename_snn or (name and f"{name}_{simulator}"),
    )


def _absolute(path: Path, folder: Path) -> Path:
    return folder / path.expanduser()


def load_config(config: str | Path | Config, overrides: Iterable[str] = ()) -> Settings:
    """Return the settings in a file, changed by `overrides` of the form ``section.key=value``.

    `config` may also be a `configparser.ConfigParser` or section -> key -> value; relative paths then start where
    Python runs. All paths in the result are absolute. ConfigError names every unknown, refused or wrong key at once.
    """
    if isinstance(config, Mapping):
        return _read_settings(read_mapping(config), read_overrides(overrides), Path.cwd(), "the configuration")
    path = Path(config).expanduser().absolute()
    return _read_settings(read_file(path), read_overrides(overrides), path.parent, f"configuration {path}")


def settings_in(texts: Mapping[str, str], folder: Path) -> Settings:
    """The settings of ``section.key`` -> text as a file in `folder` has it; ConfigError as `load_config`."""
    names = {(section, name): text for path, text in texts.items() for section, _, name in [path.partition(".")]}
    return _read_settings(RawConfig(names, tuple({s for s, _ in names}), ()), read_overrides(()), folder, "what is set")


def texts_in(path: Path) -> dict[str, str]:
    """``section.key`` -> text of a configuration file, by the names that keys have here.

    ConfigError for what has not the form of one; whether keys are known and values right is asked elsewhere.
    """
    file = canonical(read_file(path))
    if file.problems:
        raise problems_of(f"configuration {path}", file.problems)
    return {f"{section}.{name}": text for (section, name), text in file.texts.items()}


def model_settings(model: Path, overrides: Iterable[str] = ()) -> Settings:
    """The default settings for a model file, changed by `overrides`; ConfigError as `load_config`."""
    model = model.expanduser().absolute()
    file = RawConfig({("paths", "filename_ann"): model.name or str(model)}, ("paths",), ())
    return _read_settings(file, read_overrides(overrides), model.parent, "--set")


def _read_settings(file: RawConfig, changes: RawConfig, folder: Path, source: str) -> Settings:
    """The settings of a file and its changes; `folder` is where paths begin, `source` names the file in errors."""
    file, changes = canonical(file), canonical(changes, last=True)
    problems = [*file.problems, *changes.problems]
    problems += [_unknown_section(n) for n in dict.fromkeys((*file.sections, *changes.sections)) if not _is_known(n)]
    texts = {key: text for key, text in {**file.texts, **changes.texts}.items() if _is_known(key[0])}
    values, wrong = _values(References(texts, folder), [key for key in texts if ".".join(key) in keys()])
    user_keys = frozenset(values)
    chosen = _settings(values)
    settings = with_derived(chosen, user_keys, folder)
    unused, refusals = of_others({k: text for k, text in texts.items() if ".".join(k) not in keys()}, settings)
    across = _across(values, settings, folder)
    problems += [{**wrong, **refusals}[key] for key in texts if key in wrong or key in refusals]
    # What is wrong itself is held against nothing: there a default stands in for it.
    problems += [text for text in across if not any(".".join(key) in text for key in wrong)]
    if problems:
        raise problems_of(source, problems)
    return replace(settings, without_effect=(*unused, *idle(chosen, user_keys)))


def _across(values: Mapping[str, Any], settings: Settings, folder: Path) -> list[str]:
    """What does not go together in `settings`, whose keys have these `values`; of a sweep in its first point."""
    if not (first := first_point(settings.parameter_sweep)):
        return problems_across_keys(settings, frozenset(values))
    values = {**values, **first}
    return problems_across_keys(with_derived(_settings(values), frozenset(values), folder), frozenset(values))


def _values(references: References, names: Iterable[Names]) -> tuple[dict[str, Any], dict[Names, str]]:
    """The values of keys that are set, and what is wrong with the others."""
    values, problems = {}, {}
    for section, name in names:
        row = keys()[f"{section}.{name}"]
        try:
            text = references.text(section, name)
            if row.kind is not Path or unquoted(text):  # an empty path is none, and not the folder "."
                values[row.path] = value_of(row, text)
        except ValueError as error:
            problems[section, name] = f"{row.path}{error}"
    return values, problems


def _is_known(section: str) -> bool:
    return section in known_sections()


def _unknown_section(name: str) -> str:
    return f"[{name}]: unknown section{did_you_mean(name, known_sections())}"


def _settings(user_values: Mapping[str, Any]) -> Settings:
    """Return the defaults changed by the preset, then by what the user set."""
    preset = PRESETS[user_values.get("conversion.recipe", Settings().conversion.recipe)]
    values = {**preset, **user_values}
    parts = {}
    for section, kind in sections().items():
        own = {row.name: values[row.path] for row in keys().values() if row.section == section and row.path in values}
        parts[section] = kind(**own)
    return replace(Settings(), **parts)
