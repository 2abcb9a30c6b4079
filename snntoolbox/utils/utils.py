"""The module of configurations, as scripts of the SNN Toolbox ask for it."""

import configparser
from types import ModuleType


def import_configparser() -> ModuleType:
    """Python's `configparser`."""
    return configparser
