"""``snntoolbox capabilities``: what each simulator runs and each exporter writes, and which are installed."""

from __future__ import annotations

import argparse
import logging

from snntoolbox.workflow.commands.outcome import Outcome

log = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def execute(options: argparse.Namespace) -> Outcome:
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
    print(text_table(capabilities, each), end="")
    return Outcome(capability_data(capabilities, each))
