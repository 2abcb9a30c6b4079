"""Graphs and neurons in torch: what calibration and the built-in simulator compute with."""
