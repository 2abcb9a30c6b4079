"""Lets hints of errors name the keys by which a configuration chose what they are about: some choices have two."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from snntoolbox.errors import SNNToolboxError
from snntoolbox.workflow.config.conversion_keys import CODES, RATES
from snntoolbox.workflow.config.schema import Settings


@contextmanager
def in_own_keys(settings: Settings) -> Iterator[None]:
    """Errors that are raised within have hints that work beside these settings."""
    try:
        yield
    except SNNToolboxError as error:
        hint = error.hint or ""
        for usual, own in _names(settings):
            hint = hint.replace(usual, own)
        if hint == (error.hint or ""):
            raise
        raise _with_hint(error, hint) from error.__cause__


def _names(settings: Settings) -> Iterator[tuple[str, str]]:
    """What hints say usually, and what is to be said beside these settings."""
    chosen = settings.conversion
    if chosen.spike_code in CODES:
        both = " and schedule = rate" if chosen.schedule != type(chosen).schedule else ""
        yield "[conversion] schedule = rate", f"[conversion] spike_code = {RATES}{both}"
    if settings.cell.quantize_weights:
        yield "[conversion] weight_bits = 0", "[conversion] weight_bits = 0 and [cell] quantize_weights = False"
    if chosen.append_softmax:
        both = " and readout = linear" if chosen.readout != "linear" else ""
        yield "[conversion] readout = linear", f"[conversion] append_softmax = False{both}"


def _with_hint(error: SNNToolboxError, hint: str) -> SNNToolboxError:
    told = str(error).removesuffix(f"\n  hint: {error.hint}")
    changed = copy.copy(error)
    changed.args, changed.hint = (f"{told}\n  hint: {hint}",), hint
    return changed
