"""What the settings choose for a conversion: its recipe, from the keys that name the fields, and back to keys."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from snntoolbox.analysis.settings import Notation, Setting
from snntoolbox.conversion.changes import changed
from snntoolbox.conversion.misfits import keeping
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.rate import Rate
from snntoolbox.errors import ConfigError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson, SpikeTimes
from snntoolbox.ir.features import FLOAT_WEIGHTS
from snntoolbox.ir.latency import Latency
from snntoolbox.workflow.config.checks import problems_across_keys
from snntoolbox.workflow.config.conversion_keys import CODES, PATTERN, RATES
from snntoolbox.workflow.config.key import Key
from snntoolbox.workflow.config.schema import ParameterSweep, Settings, keys
from snntoolbox.workflow.own_keys import in_own_keys

OF_A_RUN = {"duration": "simulation.duration", "early_exit": "simulation.early_exit"}
"""What a search or advice may change beside the recipe, and its key."""


def recipe_keys() -> Mapping[str, Key]:
    """Field of a recipe -> the key that sets it."""
    leading: dict[str, Key] = {}
    for row in keys().values():
        if row.recipe:
            leading.setdefault(row.recipe, row)
    return leading


def recipe_of(
    settings: Settings, largest_input: float, input_range: tuple[float, float], event_value: float = 1.0
) -> Recipe:
    """The recipe that the settings name; ConversionError.

    The largest |x| of the data scales Poisson input, `event_value`, what an event adds to a frame, that of events.
    """
    encoding = _encoding(settings, largest_input, event_value, negative=input_range[0] < 0)
    from_data = {"encoding": encoding, "input_range": input_range}
    chosen = {name: row.chosen_in(settings) for name, row in recipe_keys().items() if name not in from_data}
    recipe = changed(Recipe(), {**chosen, **from_data})
    recipe.check_correction()
    return recipe


def check_choices(settings: Settings) -> Recipe | None:
    """The recipe of a conversion, None where there is none; ConversionError for choices that do not go together.

    It is that of data from 0 to 1: none are opened.

    ConfigError for keys that a sweep varies and that are run as they are: of those it is the points that were checked.
    """
    alone = replace(settings, parameter_sweep=ParameterSweep())
    if alone != settings and (wrong := problems_across_keys(alone, frozenset())):
        raise ConfigError("; ".join(wrong))
    with in_own_keys(settings):
        return recipe_of(settings, 1.0, (0.0, 1.0)) if settings.tools.convert else None


def choices_for(capabilities: Capabilities) -> AbstractContextManager[None]:
    """Inside, no hint gives up the integer grid where what takes the network needs it."""
    return nullcontext() if FLOAT_WEIGHTS in capabilities.features else keeping("weight_bits")


def presents_events(settings: Settings) -> bool:
    """Whether samples are presented event by event, and not as frames."""
    given = settings.input
    return given.dataset_format == "events" and not (given.poisson_input or given.latency_input or given.digit_input)


def _encoding(settings: Settings, largest_input: float, event_value: float, *, negative: bool) -> Encoding:
    """The input coding: of the largest input value the rate is `input_rate`, and all events make a frame."""
    if presents_events(settings):
        return SpikeTimes(amplitude=event_value * settings.simulation.steps)
    if settings.input.latency_input:
        return Latency(amplitude=largest_input or 1.0, window=settings.input.latency_steps)
    if settings.input.digit_input:
        return BinaryDigits(amplitude=largest_input or 1.0, signed=negative)
    if not settings.input.poisson_input:
        return ConstantCurrent()
    per_step = settings.input.input_rate * settings.simulation.dt / 1000
    events = settings.input.num_poisson_events_per_sample
    most = None if events < 0 else events
    return Poisson(amplitude=(largest_input or 1.0) / per_step, seed=settings.simulation.seed, most=most)


def as_key(name: str, value: object) -> Setting:
    """A field of the recipe, or the `duration` or `early_exit` of a run, as the key that sets it to this value."""
    row = keys()[OF_A_RUN[name]] if name in OF_A_RUN else recipe_keys()[name]
    if isinstance(value, Latency):
        return Setting("latency_input", True, "input")
    if isinstance(value, BinaryDigits):
        return Setting("digit_input", True, "input")
    text = isinstance(value, Poisson) if name == "encoding" else row.written(value)
    return Setting(row.name, text, row.section)


def notation_of(settings: Settings) -> Notation:
    """How a field of the recipe, or of a run, is written beside these settings: a code of the toolbox has its own."""
    code, dt = settings.conversion.spike_code, settings.simulation.dt

    def written(name: str, value: object) -> Setting:
        if name == "duration" and code == PATTERN and isinstance(value, (int, float)):
            return Setting("num_bits", round(value / dt), "conversion")
        if name == "encoding" and isinstance(value, ConstantCurrent) and (coded := _coded_by(settings)):
            return Setting(coded, False, "input")
        if name == "schedule" and value == Rate.name and code in CODES:
            return Setting("spike_code", RATES, "conversion")
        return as_key(name, value)

    return written


def _coded_by(settings: Settings) -> str:
    """The key by which inputs are spikes; empty where none is."""
    return next((name for name in ("latency_input", "digit_input") if getattr(settings.input, name)), "")
