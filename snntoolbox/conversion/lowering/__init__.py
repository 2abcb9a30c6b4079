"""Passes that replace what is not linear by rectifiers and linear maps."""
