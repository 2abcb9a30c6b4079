"""The threshold rules by name, and which one is taken where none is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from snntoolbox.conversion.thresholds.balance import BalancedThresholds
from snntoolbox.conversion.thresholds.mmse import MMSEThresholds
from snntoolbox.conversion.thresholds.thresholds import PercentileThresholds, ThresholdRule
from snntoolbox.errors import ConversionError

FEW_STEPS = 64
"""Up to so many steps quantisation counts, and `auto` weighs it against saturation."""


USUAL = 99.9
"""The percentile that is taken where none is set."""


@dataclass(frozen=True, kw_only=True)
class RuleSettings:
    """What a rule may depend on; `steps` None is a duration that nobody said, `initial` is in thresholds.

    `refractory` is the number of steps without a spike after each; `percentile_fall` makes deeper layers' percentile
    lower. `alike`: rules of least error are not to be decided by few large samples. `own` are the steps of rectifiers
    that have others.
    """

    steps: int | None
    initial: float = 0.5
    refractory: int = 0
    percentile: float = USUAL
    percentile_fall: float = 0.0
    per_channel: bool = True
    batch_size: int = 100
    alike: bool = False
    own: Mapping[str, int] = field(default_factory=dict)


def _mmse(s: RuleSettings) -> ThresholdRule:
    if s.steps is None:
        hint = "give the duration, or threshold_rule = ltb"
        raise ConversionError("threshold_rule = mmse needs the number of steps", hint=hint)
    start = min(max(s.initial, 0.0), 1.0)
    return MMSEThresholds(s.steps, start, s.refractory, s.per_channel, s.batch_size, s.alike, s.own)


RULES: Mapping[str, Callable[[RuleSettings], ThresholdRule]] = {
    "max": lambda s: PercentileThresholds(100.0, s.per_channel, s.batch_size),
    "percentile": lambda s: PercentileThresholds(s.percentile, s.per_channel, s.batch_size, s.percentile_fall),
    "mmse": _mmse,
    "ltb": lambda s: BalancedThresholds(per_channel=s.per_channel),
}
"""The rules that choose scales from calibration data."""


def rule_name(name: str, steps: float | None, percentile: float, fall: float = 0.0, few: float = FEW_STEPS) -> str:
    """What 'auto' stands for: mmse for a run of at most `few` steps, else percentile; other names as they are.

    Who sets another percentile than `USUAL`, or one that falls, means it: then 'auto' is percentile.
    """
    if name != "auto":
        return name
    counted = steps is not None and steps <= few
    return "mmse" if counted and percentile == USUAL and not fall else "percentile"


def rule_for(name: str, settings: RuleSettings) -> ThresholdRule:
    """The rule of a name; see `rule_name` for 'auto'."""
    return RULES[rule_name(name, settings.steps, settings.percentile, settings.percentile_fall)](settings)
