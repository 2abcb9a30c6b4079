"""Layers to train with, so that what is trained is what spiking neurons compute; one module per framework."""
