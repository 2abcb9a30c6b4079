"""Simulators that run a spiking network, one folder each."""
