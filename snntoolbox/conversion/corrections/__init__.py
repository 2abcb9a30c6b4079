"""Passes that correct neurons and read-outs on calibration data for the steps of a run."""
