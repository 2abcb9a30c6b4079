"""Sections on where a result comes from: settings, versions, and how to have it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from snntoolbox.workflow.config.schema import Settings, keys
from snntoolbox.workflow.config.template import config_text
from snntoolbox.workflow.config.values import show
from snntoolbox.workflow.report.html.page import Section


def settings_section(settings: Settings) -> Section:
    """The settings that are not at their default, and all of them as a configuration."""
    changed = []
    for row in keys().values():
        value = getattr(getattr(settings, row.section), row.name)
        if not row.derived and value != row.default:
            changed.append((row.path, show(value), show(row.default) or "(empty)", row.doc))
    return Section(template="settings", title="Settings", values={"changed": changed, "config": config_text(settings)})


def repeat_section(report: Mapping[str, Any], command: Sequence[str]) -> Section:
    """The command, the versions and the seconds."""
    values = {
        "command": shlex.join(["snntoolbox", *command]),
        "versions": list(report["versions"].items()),
        "seconds": list(report["seconds"].items()),
    }
    return Section(template="repeat", title="How to repeat it", values=values)
