"""MegaSim as a target: the files that the event-driven simulator of the SNN Toolbox takes."""
