"""Recordings of event cameras: read from their files, cut into samples, and made frames and spikes."""
