"""How a command ended, for the exit code and for whoever reads it as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, eq=False)
class Outcome:
    """The `report` is what ``--json`` prints: data, or the file of JSON that holds it; `code` is the exit code."""

    report: Any | Path
    code: int = 0
