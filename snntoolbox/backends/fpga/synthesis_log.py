"""How far a synthesis is, by the passes that Yosys' log names, of those that its help announces."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from functools import cache

_LABEL = re.compile(r"^    (\w+):", re.MULTILINE)
_PASS = re.compile(r"^        (?=\S)(.*)$", re.MULTILINE)
_ONLY = re.compile(r"\((?:only if|if|with) '?(-\w+)'?\)|\('(-\w+)' only\)")
_SKIPPED = re.compile(r"\(skip if '?(-\w+)'?\)")
_EXECUTING = re.compile(r"^(\d+)(\.\d+)?\. Executing (\w+)", re.MULTILINE)


@cache
def announced(command: str) -> int:
    """How many passes Yosys' help says that such a command has; 0 where it says nothing."""
    name, *_ = command.split()
    try:
        said = subprocess.run(
            ["yosys", "-Q", "-T", "-p", f"help {name}"], capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return passes(said.stdout, command)


def passes(text: str, command: str) -> int:
    """The passes that a help lists for a command, without those that its options do not ask for.

    With ``-run a:b`` those from label a up to label b.
    """
    words = command.split()
    parts = _LABEL.split(text.partition("The following commands are executed")[2])[1:]
    listed = dict(zip(parts[::2], parts[1::2], strict=True))
    if "-run" in words:
        first, _, last = words[words.index("-run") + 1].partition(":")
        names = [*listed]
        begin = names.index(first) if first in listed else 0
        end = names.index(last) if last in listed else len(names)
        listed = {name: listed[name] for name in names[begin:end]}
    lines = [line for part in listed.values() for line in _PASS.findall(part)]
    return sum(_is_made(line, words) for line in lines)


def _is_made(line: str, words: Sequence[str]) -> bool:
    """Whether a pass goes with these options."""
    only = [option for pair in _ONLY.findall(line) for option in pair if option]
    return all(option in words for option in only) and not any(option in words for option in _SKIPPED.findall(line))


def executed(log: str, command: str) -> int:
    """How many passes of the command a log says to have begun."""
    found = _EXECUTING.findall(log)
    own = next((number for number, part, name in found if not part and name.lower() == command.split()[0]), None)
    return sum(number == own and bool(part) for number, part, _ in found)
