"""The schedules that there are, by name: the one place that lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from snntoolbox.conversion.schedules.differential import Differential
from snntoolbox.conversion.schedules.first_spike import FirstSpike
from snntoolbox.conversion.schedules.phased import Phased
from snntoolbox.conversion.schedules.radix import Radix
from snntoolbox.conversion.schedules.rate import Rate
from snntoolbox.conversion.schedules.recurrent import Recurrent
from snntoolbox.conversion.schedules.schedule import Schedule

_ALL: tuple[Schedule, ...] = (Rate(), Phased(), Radix(), FirstSpike(), Recurrent(), Differential())

SCHEDULES: dict[str, Schedule] = {schedule.name: schedule for schedule in _ALL}
"""A new one is an object here and its name among the choices of [conversion] schedule, which a test compares."""


def scheduled(name: str, bits: Iterable[tuple[str, int]] = ()) -> Schedule:
    """The schedule of that name; where its spikes are binary digits, with those of single layers."""
    schedule, own = SCHEDULES[name], tuple(bits)
    return replace(schedule, own=own) if own and isinstance(schedule, Radix) else schedule
