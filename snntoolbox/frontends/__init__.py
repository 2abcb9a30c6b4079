"""Readers of trained models, one folder for each framework."""
