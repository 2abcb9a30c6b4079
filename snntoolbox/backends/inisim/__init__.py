"""The built-in simulator, INI."""
