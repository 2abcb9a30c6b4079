"""Searches the settings of a conversion on calibration data, within a time bound, for a target."""
