"""``snntoolbox capabilities``: what each simulator runs and each exporter writes, and which are installed."""

from __future__ import annotations

import argparse
import json
import logging

log = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The form."""
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def execute(options: argparse.Namespace) -> None:
    """The table, or its data."""
    from snntoolbox.backends.registry import plugin_named, roles
    from snntoolbox.errors import BackendError
    from snntoolbox.workflow.report.capability_table import capability_data, text_table

    each, capabilities = roles(), {}
    for name in each:
        try:
            capabilities[name] = plugin_named(name).capabilities
        except BackendError as error:  # a plug-in that cannot be loaded does not hide the others
            log.warning("%s", error.message)
    if options.json:
        print(json.dumps(capability_data(capabilities, each), indent=2))
    else:
        print(text_table(capabilities, each), end="")
