"""A `config.ini` as typed, frozen settings."""
