"""How long a network runs: milliseconds to steps, and what a report says of latency and throughput."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from snntoolbox.errors import ArgumentError, ConversionError
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.time_steps import whole_steps

DEFAULT_DURATION = 64
"""Milliseconds of a run that nobody gave a duration."""


def steps_of(duration: float, dt: float) -> int:
    """The number of steps of `dt` ms in `duration` ms; ConversionError where it is no positive whole number."""
    if not isinstance(duration, Real) or isinstance(duration, bool):
        raise ConversionError(f"a duration of {duration!r} is no number of ms")
    if duration <= 0:
        raise ConversionError(f"a duration of {duration:g} ms is not above 0")
    steps = whole_steps(float(duration), dt)
    if not steps:
        raise ConversionError(f"a duration of {duration} ms is no whole number of steps of {dt} ms")
    return steps


def duration_of(duration: float | None, T: int | None, dt: float) -> float | None:
    """The duration in ms of a run for which that or its number of steps T is given; None where neither is.

    ArgumentError where T is no number of steps, or both are given and differ.
    """
    if T is None:
        return duration
    if not isinstance(T, Integral) or isinstance(T, bool) or T < 1:
        raise ArgumentError(f"T = {T!r} is no number of steps", hint="T=32, for instance")
    if duration is not None and steps_of(duration, dt) != T:
        raise ArgumentError(f"T = {T} steps of {dt:g} ms are not duration = {duration:g} ms", hint="give one of them")
    return int(T) * dt


def run_steps(network: SpikingNetwork, duration: float | None) -> int:
    """The steps of a run of `duration` ms; a network with windows runs for as many as it needs.

    Without a duration those that the network was fitted to, or 64 ms. ConversionError where the duration given
    is not that of its windows.
    """
    schedule = network.schedule
    if schedule is None or schedule.steps is None:
        usual = network.duration or DEFAULT_DURATION
        return steps_of(usual if duration is None else duration, network.dt)
    if duration is not None and steps_of(duration, network.dt) != schedule.window:
        raise ConversionError(
            f"the network was converted for windows of {schedule.window * network.dt:g} ms, not {duration:g} ms",
            hint="give no duration, or convert again with this one",
        )
    return schedule.steps


def timing(network: SpikingNetwork, duration: float | None) -> dict[str, Any]:
    """For a report: `latency_steps` from a sample's start to its answer, and `throughput`, samples per step.

    With one membrane per neuron and, for a phased network, with two.
    """
    steps, schedule = run_steps(network, duration), network.schedule
    one = schedule.interval if schedule and schedule.interval else steps
    two = schedule.interval_two if schedule and schedule.interval_two else steps
    return {"latency_steps": steps, "throughput": {"one_membrane": 1 / one, "two_membranes": 1 / two}}
