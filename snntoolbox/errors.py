"""The errors a user can meet: one base class and a few kinds, each with the layer, its origin and a hint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


class SNNToolboxError(Exception):
    """Base of every error that is about the user's input and not a defect of the package.

    `message` says what is wrong, `layer` names the offending layer as the user knows it, `hint` says what to do.
    ``str(error)`` is the whole text that the command line prints.
    """

    def __init__(self, message: str, *, layer: str | None = None, hint: str | None = None) -> None:
        self.message = message
        self.layer = layer
        self.hint = hint
        text = f"{layer}: {message}" if layer else message
        super().__init__(f"{text}\n  hint: {hint}" if hint else text)

    @property
    def brief(self) -> str:
        """What is wrong, in one line."""
        return self.message.splitlines()[0]

    def __reduce__(self) -> tuple[Callable[..., SNNToolboxError], tuple[object, ...]]:
        """Errors cross processes whole, whatever arguments their class takes."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[SNNToolboxError], arguments: tuple[object, ...], members: dict[str, object]
) -> SNNToolboxError:
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(members)
    return error


class ArgumentError(SNNToolboxError):
    """An argument of a function is not what it must be: a text for a number, for instance."""


class ConfigError(SNNToolboxError):
    """A configuration file, section, key or value cannot be used."""


class DataError(SNNToolboxError):
    """A data set is missing, damaged or does not fit the model."""


class FrontendError(SNNToolboxError):
    """A model file or object cannot be read."""


class NoReferenceError(SNNToolboxError):
    """A model's framework cannot run it, so that its parsed form cannot be compared with the original."""


class GraphError(SNNToolboxError):
    """A graph is inconsistent: missing inputs, cycles, or shapes that do not fit."""


class ConversionError(SNNToolboxError):
    """A network cannot be converted as asked."""


class UnfinishedError(SNNToolboxError):
    """Some points of a sweep have failed; the others are finished, or all have failed."""


class BackendError(SNNToolboxError):
    """A simulator is missing or failed."""


class TooLargeError(BackendError):
    """A network is larger than what a simulator should be given."""


class DiedError(BackendError):
    """The process of a simulator has ended by itself."""


@dataclass(frozen=True)
class Unsupported:
    """One offender: `layer` as the user knows it (name and type) and `reason`, a short phrase."""

    layer: str
    reason: str


class UnsupportedError(SNNToolboxError):
    """Something that cannot be converted or run; lists every offender at once, and each once."""

    def __init__(self, subject: str, offenders: Iterable[Unsupported], *, hint: str | None = None) -> None:
        self.subject, self.offenders = subject, tuple(dict.fromkeys(offenders))
        lines = [f"{subject} cannot take:", *(f"    {o.layer}: {o.reason}" for o in self.offenders)]
        super().__init__("\n".join(lines), hint=hint)

    @property
    def brief(self) -> str:
        """The subject and its offenders, in one line."""
        return f"{self.message.splitlines()[0]} {'; '.join(f'{o.layer} ({o.reason})' for o in self.offenders)}"
