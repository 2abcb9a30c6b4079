"""References between keys of one section, ``%(key)s``, and ``%%`` for a percent sign, as `configparser` reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from snntoolbox.workflow.config.naming import known_key
from snntoolbox.workflow.config.schema import keys
from snntoolbox.workflow.config.values import CHARACTERS, show, unquoted

_TOKEN = re.compile(r"%(?:%|\(([^)]+)\)s)?")
_LONGEST = 2**16
"""No value is longer: some short lines that refer to one another could ask for any size."""

Texts = Mapping[tuple[str, str], str]


class References:
    """The texts of a configuration by (section, key), with what they refer to put in place.

    A key that is not set stands for its default; path_wd for an absolute path, that of `folder` where it is not set.
    """

    def __init__(self, texts: Texts, folder: Path) -> None:
        self._texts = texts
        self._folder = folder
        self._resolved: dict[tuple[str, str], str] = {}

    def text(self, section: str, name: str) -> str:
        """The text of a key that is set; the message of a ValueError is ``" = text: what is wrong"``."""
        raw = self._texts[section, name]
        try:
            return self._filled(section, name, ())
        except ValueError as error:
            raise ValueError(f" = {raw}: {error}") from None

    def _filled(self, section: str, name: str, within: tuple[str, ...]) -> str:
        """The text with all references replaced; `within` are the keys that it is needed for."""
        if (section, name) not in self._resolved:
            if name in within:
                raise ValueError(f"refers to itself by {' and '.join(within)}")
            text, parts, size, end = self._texts[section, name], [], 0, 0
            for match in _TOKEN.finditer(text):
                parts += [text[end : match.start()], self._replacement(match, section, (*within, name))]
                end = match.end()
                size += len(parts[-1])
                if size > _LONGEST:
                    raise ValueError(f"becomes longer than {_LONGEST} characters")
            self._resolved[section, name] = "".join([*parts, text[end:]])
        return self._resolved[section, name]

    def _replacement(self, match: re.Match[str], section: str, within: tuple[str, ...]) -> str:
        if match[0] == "%%":
            return "%"
        if match[1] is None:
            raise ValueError("a percent sign is written %%, and another key of the section %(key)s")
        return self._value(section, match[1] if match[1] in CHARACTERS else known_key(section, match[1]), within)

    def _value(self, section: str, name: str, within: tuple[str, ...]) -> str:
        """What a reference to a key stands for."""
        row = keys().get(f"{section}.{name}")
        if (section, name) in self._texts:
            text = self._filled(section, name, within)
            text = unquoted(text) if row is not None and row.kind in (str, Path, Path | None) else text
        elif row is None and name in CHARACTERS:
            text = CHARACTERS[name]
        elif row is None:
            raise ValueError(f"there is no key {name} in [{section}]")
        elif row.derived and name != "path_wd":
            raise ValueError(f"{name} is not set")
        else:
            text = show(row.default)
        return str(self._folder / Path(text).expanduser()) if (section, name) == ("paths", "path_wd") else text
