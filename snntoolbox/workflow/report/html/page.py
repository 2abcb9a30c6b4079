"""A page of sections: each a template with its values, all in one file with style and script in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from snntoolbox.backends.templates import filled
from snntoolbox.ir.writing import OutputError, write_text

_HERE = "snntoolbox.workflow.report.html"


@dataclass(frozen=True)
class Section:
    """A part of a page: ``templates/<template>.html.j2`` filled with `values`, below `title`."""

    template: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def html(self) -> Markup:
        """Its part of the page; what it was given is escaped."""
        return Markup(filled(_HERE, f"{self.template}.html", **self.values))


def write_page(path: Path, text: str, warn: Callable[[str], None]) -> None:
    """Write a page; where there is no room for it, that is told: the numbers are there without it."""
    try:
        write_text(path, text)
    except OutputError as error:
        warn(f"there is no page to look at: {error.message}")


def page(title: str, heading: str, sections: Sequence[Section]) -> str:
    """The whole file: nothing is loaded from elsewhere, and only its own script may run."""
    script = filled(_HERE, "script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return filled(
        _HERE, "page.html", title=title, heading=heading, sections=sections, script=Markup(script), digest=digest,
        style=Markup(filled(_HERE, "style.css")),
    )  # fmt: skip
