"""Passes from a lowered graph and its scales to populations of spiking neurons, on an integer grid if asked."""
