"""Reads a configuration, which a script may then change, and runs it."""

from __future__ import annotations

import logging
from configparser import ConfigParser
from pathlib import Path

from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.template import config_text
from snntoolbox.workflow.main import main as run_pipeline

log = logging.getLogger(__name__)

__all__ = ["run_pipeline", "update_setup"]


def update_setup(config_filepath: str | Path) -> ConfigParser:
    """Every key of a configuration file, with what follows from others filled in and paths absolute; ConfigError.

    Keys that have no effect here are told and left out.
    """
    settings = load_config(config_filepath)
    for text in settings.without_effect:
        log.warning(text)
    config = ConfigParser()
    config.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their capitals
    config.read_string(config_text(settings))
    return config
