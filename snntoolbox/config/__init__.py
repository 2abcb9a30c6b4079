"""A `config.ini` as typed, frozen settings."""

from snntoolbox.config.document import markdown
from snntoolbox.config.load import load_config, model_settings
from snntoolbox.config.schema import Settings
from snntoolbox.config.template import config_text, default_config_text

__all__ = ["Settings", "config_text", "default_config_text", "load_config", "markdown", "model_settings"]
