"""``snntoolbox export``: the network in a form that another tool or a chip takes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from snntoolbox.ir.foreign import shown
from snntoolbox.workflow.commands.outcome import Outcome
from snntoolbox.workflow.commands.shared_options import add_config, add_force, columns, set_log_level

if TYPE_CHECKING:
    from snntoolbox.backends.protocol import Check, Exported


def add_options(parser: argparse.ArgumentParser) -> None:
    """The exporter, its own options, and the folder."""
    add_config(parser, or_model=True)
    parser.add_argument(
        "--to", required=True, metavar="NAME", help="the exporter (see `snntoolbox capabilities`)"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where to write")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="an option of the exporter")
    add_force(parser, "replace an earlier export; write what is too large for the target")


def execute(options: argparse.Namespace) -> Outcome:
    """Exit code 0, or 1 if something that was checked failed; missing tools are told and are no failure."""
    from snntoolbox.backends.registry import exporter_named
    from snntoolbox.workflow.stories.bare_model import export_model, is_bare
    from snntoolbox.workflow.stories.export import export_settings, exporter_options, settings_for

    exporter = exporter_named(options.to)
    own = exporter_options(exporter, options.option)
    if is_bare(options.config):
        exported = export_model(options.config, exporter, options.output, options.set, force=options.force, **own)
    else:
        settings = settings_for(exporter, options.config, options.set)
        set_log_level(settings.output.verbose)
        exported = export_settings(settings, exporter, options.output, force=options.force, **own)
    print_checks(exported)
    print(f"Written: {len(exported.files)} files in {shown(exported.folder)}")
    return Outcome(exported_data(exported), exit_code(exported))


def exported_data(exported: Exported) -> Mapping[str, Any]:
    """What was written where, and how each check ended."""
    checks = [{"goal": c.goal, "outcome": c.outcome, "why": c.why} for c in exported.checks]
    return {"folder": exported.folder, "files": [str(file) for file in exported.files], "checks": checks}


def print_checks(exported: Exported) -> None:
    """How each check ended, and why where it did not pass."""
    for check in exported.checks:
        text = f"{check.outcome:>12}  {check.goal}{'' if check.passed else f': {_reason(check)}'}"
        print(fill(text, columns(), subsequent_indent=" " * 14, break_on_hyphens=False))


def _reason(check: Check) -> str:
    return check.why.splitlines()[-1] if check.why else "no reason given"


def exit_code(exported: Exported) -> int:
    """1 where a check failed, else 0."""
    return 1 if any(check.outcome == "failed" for check in exported.checks) else 0
