"""Makes text of others (names in models, paths, what a user typed) safe for where it goes.

A name may hold whatever its author liked: escape characters that a terminal obeys, marks that turn the order of letters
around, line ends, zeros. Here it becomes letters that stand for themselves; for plots see ``drawing/canvas.py``.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable

LONGEST = 200
"""Letters of a name that are kept, and bytes of a file's name."""

_FILE_SYSTEM = 255
"""Bytes that the name of a file may have nearly everywhere."""

_DEVICES = re.compile(r"(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, whatever stands behind the point."""


def shown(text: object) -> str:
    """A text in one line, what cannot be printed as Python writes it: ``'\\x1b'``, ``'\\n'``, ``'\\u202e'``."""
    text = str(text)
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def shown_lines(text: str) -> str:
    """The same of a text whose lines are meant."""
    return "\n".join(map(shown, text.split("\n")))


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def shortened(name: str, most: int = LONGEST) -> str:
    """A name in at most so many letters: of a longer one the beginning and, as names differ there, more of the end."""
    begin = (most - 1) // 3
    return name if len(name) <= most else f"{name[:begin]}…{name[len(name) - (most - 1 - begin):]}"


def markdown(text: str) -> str:
    """A text in one line in which Markdown, and HTML in it, see no signs; for cells of tables too."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&])", r"\\\1", shown(text))


def code(text: str) -> str:
    """A text as code in Markdown, for cells of tables too."""
    return f"`{shown(text).replace('`', chr(39)).replace('|', '¦')}`"


def comment(text: str) -> str:
    """A text for a comment of one line: it ends none, begins none, and is no instruction to a tool."""
    line = " ".join(shown(text).split()).replace("*/", "* /").replace("/*", "/ *").rstrip("\\")
    return re.sub(r"^(?=(verilator|synopsys|synthesis|pragma|cadence|xilinx|ambit|altera)\b)", "- ", line, flags=re.I)


# -- names of files -----------------------------------------------------------------------------------------------


def file_name(text: str) -> str:
    """A name of a file or folder like the text that every file system takes, and that leads nowhere else."""
    name = re.sub(r"[^\w.+-]", "_", unicodedata.normalize("NFC", text))
    if not _encodable(name):
        name = re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII)
    name = _cut(name.strip("."), LONGEST).rstrip(".") or "_"
    return f"_{name}" if _DEVICES.fullmatch(name) else name


def file_names(texts: Iterable[str]) -> dict[str, str]:
    """A name for each text; no two are the same, where large and small letters are one too."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for text in dict.fromkeys(texts):
        stem = name = file_name(text)
        number = 2
        while name.casefold() in taken:
            name, number = longer(stem, f"_{number}"), number + 1
        taken.add(name.casefold())
        names[text] = name
    return names


def longer(name: str, end: str) -> str:
    """The name of a file with something behind it, cut where that would be too long."""
    return _cut(name, _FILE_SYSTEM - len(os.fsencode(end))) + end


def _cut(name: str, most: int) -> str:
    """As many letters as fit into so many bytes."""
    while len(name.encode("utf-8", "surrogateescape")) > most:
        name = name[:-1]
    return name


def _encodable(name: str) -> bool:
    try:
        name.encode(sys.getfilesystemencoding())
    except UnicodeEncodeError:
        return False
    return True
