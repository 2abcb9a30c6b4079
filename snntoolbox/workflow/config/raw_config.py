"""A configuration file and overrides to raw text per key, with every problem of their form."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snntoolbox.errors import ConfigError
from snntoolbox.ir.regular_files import check_regular
from snntoolbox.workflow.config.schema import MODEL_SUFFIXES
from snntoolbox.workflow.config.values import escaped, spelled

_AGAIN = "\N{SYMBOL FOR SUBSTITUTE}"  # marks the second [section] or key while parsing; no file has it
MOST_PROBLEMS = 30
"""So many are told; a file with more is none that a user wrote by hand."""
_SECTION = re.compile(r"^\[\w+\]", re.MULTILINE)
_INIT_HINT = "write one with: snntoolbox init MODEL"


Config = Mapping[str, Mapping[str, object]]
"""A configuration in Python, as a `configparser.ConfigParser` is one."""


@dataclass(frozen=True)
class RawConfig:
    """Text per (section, key), the sections that occur, and what is wrong with the form of the file."""

    texts: dict[tuple[str, str], str]
    sections: tuple[str, ...]
    problems: tuple[str, ...]


def read_file(path: Path) -> RawConfig:
    """Return the raw content of the file at `path`. ConfigError if it is no configuration at all."""
    parser, problems = _parsed(path, _text_of(path))
    texts: dict[tuple[str, str], str] = {}
    for section in parser.sections():
        for name, text in parser.items(section):
            if _AGAIN not in name:
                texts.setdefault((section.split(_AGAIN)[0], name), text)
    names = tuple(section for section in parser.sections() if _AGAIN not in section)
    return RawConfig(texts, names, tuple(problems))


def read_overrides(overrides: Iterable[str]) -> RawConfig:
    """Return the raw content of ``section.key=value`` items; the last one for a key counts."""
    texts: dict[tuple[str, str], str] = {}
    problems = []
    for item in overrides:
        match = re.fullmatch(r"\s*(\w+)\.(\w+)\s*=(.*)", item, re.DOTALL)
        if match is None:
            problems.append(f"--set {item}: must be section.key=value")
        else:
            section, name, text = match.groups()
            texts[section, name] = text.strip()
    return RawConfig(texts, tuple({section for section, _ in texts}), tuple(problems))


def read_mapping(config: Config) -> RawConfig:
    """Return the raw content of a `configparser` or of section -> key -> value; values need not be texts."""
    texts: dict[tuple[str, str], str] = {}
    try:
        for section in config:
            for name, value in config[section].items():
                texts[section, str(name)] = escaped(value) if isinstance(value, str) else spelled(value)
    except configparser.Error as error:
        raise ConfigError(f"the configuration cannot be read: {error.message}") from None
    except (AttributeError, TypeError):
        raise ConfigError("a configuration is a file, a configparser or {section: {key: value}}") from None
    names = dict.fromkeys(str(section) for section in config if config[section] or section != configparser.DEFAULTSECT)
    return RawConfig(texts, tuple(names), ())


def problems_of(source: str, problems: Sequence[str], *, more: bool = False) -> ConfigError:
    """One error of all problems; of very many the first. With `more` there may be others that were not looked for."""
    count = "a problem" if len(problems) == 1 else f"{'at least ' if more else ''}{len(problems)} problems"
    rest = ["..."] if len(problems) > MOST_PROBLEMS or more else []
    return ConfigError("\n    ".join([f"{source} has {count}:", *problems[:MOST_PROBLEMS], *rest]))


def _text_of(path: Path) -> str:
    check_regular(path, ConfigError)
    try:
        text = _decoded(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(f"configuration file {path} does not exist", hint=_INIT_HINT) from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder, not a configuration file", hint=_INIT_HINT) from None
    except OSError as error:
        raise ConfigError(f"configuration file {path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not a text file", hint=_instead(path)) from None
    if "\0" in text:
        raise ConfigError(f"{path} is not a text file", hint=_instead(path))
    if not text.strip():
        raise ConfigError(f"configuration file {path} is empty", hint=_INIT_HINT)
    return text


def _decoded(data: bytes) -> str:
    """The text of a file; UnicodeDecodeError where it is none.

    Names of files need not be UTF-8: their bytes are kept, as the saved configuration of such a run has them.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", "surrogateescape")
        if not _SECTION.search(text):
            raise
        return text


def _instead(path: Path) -> str:
    if path.suffix in MODEL_SUFFIXES:
        return f"for a model file, write a configuration first: snntoolbox init {path}"
    return _INIT_HINT


def _parsed(path: Path, text: str) -> tuple[configparser.ConfigParser, list[str]]:
    """Parse `text`; of a key or section that comes again only the first counts and the others are problems."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # splitlines() splits at odd characters too
    problems: list[str] = []
    while True:
        if len(problems) > MOST_PROBLEMS:  # each one that is found takes another look at the whole file
            raise problems_of(f"configuration {path}", problems, more=True)
        parser = configparser.ConfigParser(interpolation=None, default_section=_AGAIN)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # as they are written, for messages
        try:
            parser.read_string("\n".join(lines), source=str(path))
            return parser, problems
        except configparser.DuplicateOptionError as error:
            at, section = error.lineno or 1, error.section.split(_AGAIN)[0]
            problems.append(f"{section}.{error.option}: is set again in line {at}")
            lines[at - 1] = f"{_AGAIN}{at} = "
        except configparser.DuplicateSectionError as error:
            at, section = error.lineno or 1, error.section
            problems.append(f"[{section}]: comes again in line {at}")
            lines[at - 1] = f"[{section}{_AGAIN}{at}]"
        except configparser.MissingSectionHeaderError as error:
            raise ConfigError(
                f"configuration file {path}, line {error.lineno}: expected a section such as [paths]",
                hint=_instead(path),
            ) from None
        except configparser.ParsingError as error:
            if not error.errors:
                raise ConfigError(f"configuration file {path}: {error.message}") from None
            for at, _ in error.errors:
                problems.append(f"line {at}: expected key = value, not {lines[at - 1].strip()[:60]!r}")
                lines[at - 1] = ""
