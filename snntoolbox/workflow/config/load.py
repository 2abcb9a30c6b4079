"""From a configuration file to `Settings`, or one error that names every problem in it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from snntoolbox.workflow.config.checks import problems_across_keys
from snntoolbox.workflow.config.interpolation import References
from snntoolbox.workflow.config.key import Key
from snntoolbox.workflow.config.presets import PRESETS
from snntoolbox.workflow.config.raw_config import RawConfig, problems_of, read_file, read_overrides
from snntoolbox.workflow.config.refusals import REFUSED_SECTIONS, refused
from snntoolbox.workflow.config.schema import MODEL_SUFFIXES, Paths, Settings, keys, sections
from snntoolbox.workflow.config.values import is_default, parse, unquoted


def with_derived(settings: Settings, user_keys: frozenset[str], folder: Path) -> Settings:
    """Return `settings` with every path absolute and unset names filled in.

    `user_keys` are those that the user set, `folder` is where the configuration file lies.
    """
    paths = _paths(settings.paths, settings.simulation.simulator, folder)
    tools = settings.tools
    if not paths.filename_ann and "tools.evaluate_ann" not in user_keys:
        tools = replace(tools, evaluate_ann=False)
    return replace(settings, paths=paths, tools=tools)


def model_name(filename_ann: str) -> str:
    """Return the file name of a model without folder and without a known suffix."""
    name = Path(filename_ann).name
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in MODEL_SUFFIXES else name


def _paths(paths: Paths, simulator: str, folder: Path) -> Paths:
    work = _absolute(paths.path_wd, folder)
    name = model_name(paths.filename_ann)
    unset = Path()
    return replace(
        paths,
        path_wd=work,
        dataset_path=_absolute(paths.dataset_path, work),
        log_dir_of_current_run=(
            work / "log" / paths.runlabel
            if paths.log_dir_of_current_run == unset
            else _absolute(paths.log_dir_of_current_run, work)
        ),
        class_idx_path=_absolute(paths.class_idx_path, work) if paths.class_idx_path else None,
        filename_parsed_model=paths.filename_parsed_model or (name and f"{name}_parsed"),
        filename_snn=paths.filename_snn or (name and f"{name}_{simulator}"),
    )


def _absolute(path: Path, folder: Path) -> Path:
    return folder / path.expanduser()


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> Settings:
    """Return the settings in the file at `path`, changed by `overrides` of the form ``section.key=value``.

    All paths in the result are absolute. ConfigError names every unknown, refused or wrong key at once.
    """
    path = Path(path).expanduser().absolute()
    return _read_settings(read_file(path), read_overrides(overrides), path.parent, f"configuration {path}")


def model_settings(model: Path, overrides: Iterable[str] = ()) -> Settings:
    """The default settings for a model file, changed by `overrides`; ConfigError as `load_config`."""
    model = model.expanduser().absolute()
    file = RawConfig({("paths", "filename_ann"): model.name or str(model)}, ("paths",), ())
    return _read_settings(file, read_overrides(overrides), model.parent, "--set")


def _read_settings(file: RawConfig, changes: RawConfig, folder: Path, source: str) -> Settings:
    """The settings of a file and its changes; `folder` is where paths begin, `source` names the file in errors."""
    problems = [*file.problems, *changes.problems]
    values: dict[str, Any] = {}
    unknown_sections = dict.fromkeys(
        name for name in (*file.sections, *changes.sections) if name not in _known_sections()
    )
    problems += [_unknown_section(name) for name in unknown_sections]
    texts = {**file.texts, **changes.texts}
    references = References(texts, folder)
    for (section, name), text in texts.items():
        if section in unknown_sections:
            continue
        try:
            row = keys().get(f"{section}.{name}")
            if row is None:
                _check_refused(section, name, text)
            else:
                values[row.path] = value_of(row, references.text(section, name))
        except ValueError as error:
            problems.append(f"{section}.{name}{error}")
    settings = with_derived(_settings(values), frozenset(values), folder)
    problems += problems_across_keys(settings, frozenset(values))
    if problems:
        raise problems_of(source, problems)
    return settings


def value_of(row: Key, text: str) -> Any:
    """Return `text` as the value of `row`; the message of a ValueError is ``" = text: what is wrong"``."""
    text = unquoted(text) if row.choices else text
    text = row.aliases.get(text, text)
    if row.choices and text not in row.choices:
        _check_choice(row, text)
        return text
    try:
        value = parse(text, row.kind if not row.choices else str)
    except ValueError as error:
        comment = "; a comment needs a line of its own" if " #" in text or " ;" in text else ""
        raise ValueError(f" = {text}: must be {error}{comment}") from None
    if row.rule and not row.rule.holds(value):
        raise ValueError(f" = {text}: must be {row.rule.text}")
    return _expanded(row, text, value) if row.all_of else value


def _check_choice(row: Key, text: str) -> None:
    """Accept the name of an installed plug-in; else ValueError with the reason."""
    installed = entry_points(group=row.plugins).names if row.plugins else set()
    if text in installed:
        return
    if text in row.refused:
        raise ValueError(f" = {text}: {row.refused[text]}")
    names = [*row.choices, *sorted(installed - set(row.choices))]
    nearest = _did_you_mean(text, [*names, *row.aliases])
    raise ValueError(f" = {text}: must be one of {', '.join(names)}{nearest}")


def _expanded(row: Key, text: str, names: frozenset[str]) -> frozenset[str]:
    wrong = [f"{name} {row.refused[name]}" for name in sorted(names & row.refused.keys())]
    for name in sorted(names - row.refused.keys() - set(row.all_of) - {"all"}):
        nearest = _did_you_mean(name, row.all_of)
        wrong.append(f"{name} is not known{nearest or '; known are all, ' + ', '.join(row.all_of)}")
    if wrong:
        raise ValueError(f" = {text}: {'; '.join(wrong)}")
    return frozenset(row.all_of) if "all" in names else names


def _check_refused(section: str, name: str, text: str) -> None:
    row = refused().get(f"{section}.{name}")
    if row is None:
        raise ValueError(f": unknown key{_nearest_key(section, name)}")
    if not is_default(text, row.default):
        raise ValueError(f" = {text}: {row.reason}")


def _known_sections() -> list[str]:
    return [*sections(), *dict.fromkeys(row.section for row in refused().values() if row.section not in sections())]


def _unknown_section(name: str) -> str:
    if name in REFUSED_SECTIONS:
        return f"[{name}]: {REFUSED_SECTIONS[name]}"
    return f"[{name}]: unknown section{_did_you_mean(name, _known_sections())}"


def _nearest_key(section: str, name: str) -> str:
    rows = [(row.section, row.name) for row in keys().values()]
    rows += [(row.section, row.name) for row in refused().values()]
    elsewhere = [other for other, known in rows if known == name]
    if elsewhere:
        return f"; it belongs to [{elsewhere[0]}]"
    return _did_you_mean(name, [known for other, known in rows if other == section]) or _did_you_mean(
        name, [f"{other}.{known}" for other, known in rows if other != section]
    )


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean NEAREST?", or nothing if no known name is near; capitals do not count."""
    folded = {item.lower(): item for item in reversed(list(known))}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[near[0]]}?" if near else ""


def _settings(user_values: Mapping[str, Any]) -> Settings:
    """Return the defaults changed by the preset, then by what the user set."""
    preset = PRESETS[user_values.get("conversion.recipe", Settings().conversion.recipe)]
    values = {**{f"conversion.{name}": value for name, value in preset.items()}, **user_values}
    parts = {}
    for section, kind in sections().items():
        own = {row.name: values[row.path] for row in keys().values() if row.section == section and row.path in values}
        parts[section] = kind(**own)
    return replace(Settings(), **parts)
