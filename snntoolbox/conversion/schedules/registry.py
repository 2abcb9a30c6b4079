"""The schedules that there are, by name: the one place that lists them."""

from __future__ import annotations

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
