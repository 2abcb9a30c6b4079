"""The parts of neurons that several keys choose together: payloads, and thresholds that follow the rates."""

from __future__ import annotations

from typing import Any


def special_parts(settings: Any) -> tuple[Any, ...]:
    """The parts in the place of the usual ones."""
    from snntoolbox.ir.adaptive import RateThreshold, SubtractSent, ThresholdSpikes  # numpy, for what few ask
    from snntoolbox.ir.payloads import ResidueSpikes

    chosen, dt = settings.normalization, settings.simulation.dt
    parts: list[Any] = [ResidueSpikes()] if settings.cell.payloads else []
    if chosen.online_normalization:
        # Rates are per ms, as activations are, and per step where steps are longer.
        gap, least = (hz * max(dt, 1.0) / 1000 for hz in (chosen.diff_to_max_rate, chosen.diff_to_min_rate))
        every = max(round(chosen.timestep_fraction / dt), 1)
        parts += [RateThreshold(gap, least, every, min(dt, 1.0)), ThresholdSpikes(), SubtractSent()]
    return tuple(parts)


def offline(settings: Any) -> str:
    """Why thresholds stay as they are, if so."""
    return "" if settings.normalization.online_normalization else "online_normalization = False"
