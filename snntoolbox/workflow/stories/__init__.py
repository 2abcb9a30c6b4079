"""One story per command: from settings to files."""
