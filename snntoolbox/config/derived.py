"""Defaults that follow from other keys, with all paths made absolute."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from snntoolbox.config.schema import MODEL_SUFFIXES, Paths, Settings


def with_derived(settings: Settings, given: frozenset[str], folder: Path) -> Settings:
    """Return `settings` with every path absolute and unset names filled in.

    `given` holds the keys that the user set, `folder` is where the configuration file lies.
    """
    paths = _paths(settings.paths, settings.simulation.simulator, folder)
    tools = settings.tools
    if not paths.filename_ann and "tools.evaluate_ann" not in given:
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
