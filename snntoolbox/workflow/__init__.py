"""From settings to files: the command line, its stories, configuration, data, reports and the demo."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["demo"])
