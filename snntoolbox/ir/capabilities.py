"""What a backend can run, as a set of features; what is absent is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from shutil import which
from typing import Self

from snntoolbox.errors import BackendError, Unsupported, UnsupportedError
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.features import Asked, features
from snntoolbox.ir.network import SpikingNetwork


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """The features of a network that a backend runs exactly; every field defaults to nothing.

    features: rows of `ir.features`; ``REFRACTORY.beside(RESET_ZERO)`` holds with that reset alone.
    refuses: what this backend alone has to tell apart, because it cannot run it; no rows of the table.
    latency: the least delay of a projection in steps.
    exact_bits: sums of whole numbers below 2**exact_bits are exact, so networks on an integer grid are too.
    programs: executables of which one must be there; the Debian packages that hold them are called like them.
    modules: what must be importable; extra: the pip extra of snntoolbox that installs it.
    installer: how else it is installed, in words.
    reasons: feature -> why it is not there, where that is special to this backend.
    """

    features: frozenset[Feature] = frozenset()
    refuses: tuple[Feature, ...] = ()
    latency: int = 0
    exact_bits: int = 0
    programs: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    extra: str = ""
    installer: str = ""
    reasons: Mapping[Feature, str] = field(default_factory=dict, compare=False)

    def without(self, *features: Feature) -> Self:
        """The same without some features."""
        return replace(self, features=self.features - set(features))

    # -- is it here? --------------------------------------------------------------------------------------------

    def installed(self) -> bool:
        """Whether what the backend needs is installed; imports none of it."""
        return not self._absent() and self._program_there()

    def require(self, backend: str) -> None:
        """Raise a BackendError that says what to install, if anything is missing."""
        if absent := self._absent():
            hint = f"pip install 'snntoolbox[{self.extra}]'" if self.extra else f"install {' and '.join(absent)}"
            raise BackendError(f"simulator '{backend}' is not installed: no module {', '.join(absent)}", hint=hint)
        if not self._program_there():
            programs = " or ".join(self.programs)
            hint = f"apt-get install {programs}"
            raise BackendError(f"simulator '{backend}' needs {programs}, which is not here", hint=hint)

    def _program_there(self) -> bool:
        return not self.programs or any(which(program) for program in self.programs)

    def _absent(self) -> list[str]:
        # Only the top package: looking for a submodule would import the package around it.
        return [m for m in self.modules if find_spec(m.partition(".")[0]) is None]

    # -- can it run this? ---------------------------------------------------------------------------------------

    def missing(self, network: SpikingNetwork) -> list[Unsupported]:
        """Every part of `network` that this backend cannot run, under the user's own layer names."""
        return [Unsupported(asked.layer, self._words(asked)) for asked in self._lacking(network)]

    def check(self, backend: str, network: SpikingNetwork, others: Mapping[str, Capabilities] | None = None) -> None:
        """Raise an UnsupportedError that lists everything missing, if anything is.

        The hint names those of `others` (name -> capabilities) that can run it, or the settings that together lower all
        of it away.
        """
        if not (lacking := self._lacking(network)):
            return
        fit = [name for name, other in (others or {}).items() if name != backend and not other.missing(network)]
        hints = [f"simulator = {' or '.join(fit)} can run all of these"] if fit else []
        hints += filter(None, [_together([self._settings(asked.feature, network) for asked in lacking])])
        hint = ", or ".join(hints) or "`snntoolbox capabilities` shows what each simulator runs"
        raise UnsupportedError(f"backend '{backend}'", self.missing(network), hint=hint)

    def _lacking(self, network: SpikingNetwork) -> list[Asked]:
        return [asked for asked in features(network, self.refuses) if not asked.among(self.features)]

    def _words(self, asked: Asked) -> str:
        """What a layer has that is not there; with what, where it is there with something else."""
        words = asked.feature.words
        for condition in asked.feature.conditions(self.features)[:1]:
            others = [f.words for f in asked.company if f.kind and f.kind == condition.kind]
            return f"{words} with {others[0]}" if others else f"{words} without {condition.words}"
        return words

    def _settings(self, feature: Feature, network: SpikingNetwork) -> list[str]:
        """The settings that make a network without a feature that it has and this backend lacks."""
        lowering = feature.lowered_by
        gridded = network.grid is not None
        lowered = [lowering.setting] if lowering and lowering.helps(self.features, gridded=gridded) else []
        return [*filter(None, [feature.way_out(network)]), *lowered]


def _together(ways: list[list[str]]) -> str:
    """All settings, if one of them mends all that is lacking; else those that do it together, some for each thing."""
    if any(all(setting in others for others in ways) for setting in ways[0]):
        return ", or ".join(dict.fromkeys(setting for own in ways for setting in own))
    said = list(filter(None, dict.fromkeys(" or ".join(own) for own in ways)))
    return ", and ".join(s for s in said if not any(other.startswith(f"{s}, ") for other in said))
