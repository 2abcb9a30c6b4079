"""Finds the model file that a configuration names and the frontend that reads it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from snntoolbox.errors import ConfigError
from snntoolbox.frontends.other_formats import format_of_file, refusal_of
from snntoolbox.frontends.protocol import Frontend
from snntoolbox.frontends.registry import FOLDER_HINT, by_converter, frontend_named, loadable_frontends, readers_of
from snntoolbox.ir.regular_files import check_regular


def check_folder(folder: Path, hint: str = "set [paths] path_wd") -> None:
    """ConfigError if the working folder is missing or is something else."""
    if not folder.is_dir():
        reason = "is no folder" if folder.exists() else "does not exist"
        raise ConfigError(f"the working folder '{folder}' {reason}", hint=hint)


def is_model(path: Path) -> bool:
    """Whether a file has the ending of a model, or is one of a format that is refused by its name."""
    endings = {suffix for frontend in loadable_frontends() for suffix in frontend.suffixes}
    return path.suffix.lower() in endings or format_of_file(path) is not None


def find_model(folder: Path, filename: str, model_lib: str, converter: str = "") -> tuple[Frontend, Path]:
    """The frontend and the file of the model called `filename` in `folder`, with or without its ending.

    `model_lib` is a frontend's name or ``auto``; `converter` is the interpreter that makes ONNX of what none reads.
    ConfigError where the folder or file is missing, or several fit.
    """
    check_folder(folder)
    frontends = loadable_frontends() if model_lib == "auto" else [frontend_named(model_lib)]
    path = folder / filename
    check_regular(path, ConfigError)
    if filename and (found := by_converter(path, converter)):
        return found, path
    if path.is_file():
        return _reader_of(path, frontends, model_lib), path
    # Of the endings of one frontend the first that is there counts: it lists them by preference, and reads by itself
    # what belongs together (NAME.py beside NAME.pth).
    named = [(f, folder / (filename + suffix)) for f in frontends for suffix in f.suffixes]
    present = [(f, file) for f, file in named if filename and file.is_file() and f in readers_of(file, frontends)]
    if not present:
        for file in _called(folder, filename):
            if found := by_converter(file, converter):
                return found, file
        raise _missing(folder, filename, [file.name for _, file in named], {s for f in frontends for s in f.suffixes})
    if len({f.name for f, _ in present}) > 1:
        files = ", ".join(file.name for _, file in present)
        raise ConfigError(
            f"several models are called '{filename}': {files}", hint="write the file's ending, or set model_lib"
        )
    return present[0]


def _reader_of(path: Path, frontends: Sequence[Frontend], model_lib: str) -> Frontend:
    """The first frontend that reads files with this ending; ConfigError."""
    reader = next(iter(readers_of(path, frontends)), None)
    if reader is None and (refused := refusal_of(path, ConfigError)):
        raise refused
    if reader is None:
        suffixes = ", ".join(dict.fromkeys(s for f in frontends for s in f.suffixes))
        raise ConfigError(f"model_lib = {model_lib} does not read '{path.name}'", hint=f"it reads {suffixes}")
    return reader


def _called(folder: Path, filename: str) -> list[Path]:
    """What has this name, with or without an ending."""
    return sorted(p for p in folder.iterdir() if filename in (p.name, p.stem))


def _missing(folder: Path, filename: str, names: Sequence[str], suffixes: set[str]) -> ConfigError:
    """What was looked for, and the nearest file that is there."""
    if refused := next(filter(None, (refusal_of(p, ConfigError) for p in _called(folder, filename))), None):
        return refused
    if (folder / filename).is_dir():
        return ConfigError(f"'{folder / filename}' is a folder, not a model", hint=FOLDER_HINT)
    # A name with an ending is that file; other endings behind it would only puzzle.
    looked = filename if Path(filename).suffix.lower() in suffixes else ", ".join(dict.fromkeys(names))
    near = get_close_matches(filename, [p.name for p in folder.iterdir() if p.suffix.lower() in suffixes], 1)
    hint = f"looked for {looked}" + (f"; there is {near[0]}" if near else "")
    return ConfigError(f"there is no model '{filename}' in '{folder}'", hint=hint)
