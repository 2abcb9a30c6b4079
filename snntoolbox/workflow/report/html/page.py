"""A page of sections: each a template with its values, all in one file with style and script in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from snntoolbox.backends.templates import filled

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


def page(title: str, heading: str, sections: Sequence[Section]) -> str:
    """The whole file: nothing is loaded from elsewhere, and only its own script may run."""
    script = filled(_HERE, "script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return filled(
        _HERE, "page.html", title=title, heading=heading, sections=sections, script=Markup(script), digest=digest,
        style=Markup(filled(_HERE, "style.css")),
    )  # fmt: skip
