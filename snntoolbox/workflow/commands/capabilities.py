"""``snntoolbox capabilities``: what each simulator runs and each exporter writes, and which are installed."""

from __future__ import annotations

import argparse
import json


def add_options(parser: argparse.ArgumentParser) -> None:
    """The form."""
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def execute(options: argparse.Namespace) -> None:
    """The table, or its data."""
    from snntoolbox.backends.registry import plugin_named, roles
    from snntoolbox.workflow.report.capability_table import capability_data, text_table

    each = roles()
    capabilities = {name: plugin_named(name).capabilities for name in each}
    if options.json:
        print(json.dumps(capability_data(capabilities, each), indent=2))
    else:
        print(text_table(capabilities, each), end="")
