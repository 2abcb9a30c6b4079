"""What a backend and an exporter are: a name, capabilities as data, and a way to run a network or to write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self, runtime_checkable

from snntoolbox.backends.estimates import Cost
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.merging import MARKER
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result


class Plugin(Protocol):
    """What backends and exporters have in common; importing one imports no simulator and no tool.

    One object may be both: it then stands under the same name in both groups of entry points.
    """

    @property
    def name(self) -> str:
        """What users call it."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What networks it takes; what is absent is refused."""
        ...


# -- what runs ------------------------------------------------------------------------------------------------------


class Executable(Protocol):
    """A network built on a simulator, ready to run batches; a context manager that frees what it holds."""

    def run(
        self,
        *x: Array,
        steps: int,
        record: Record | None = None,
        first_sample: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run one batch of each input; `first_sample` numbers the samples (for seeds); `progress` gets steps done."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class ChecksOptions(Protocol):
    """A backend some of whose options do not go with every network."""

    def check_options(self, network: SpikingNetwork, **options: Any) -> None:
        """An error where these do not, before anything is built."""
        ...


@runtime_checkable
class HasNotes(Protocol):
    """A backend of whose results there is something to know, whatever the network is."""

    def notes(self, **options: Any) -> tuple[str, ...]:
        """What a report of results with these options has to say of them."""
        ...


@runtime_checkable
class PreparesAhead(Protocol):
    """An executable that prepares more where more samples are going to come."""

    def expect(self, samples: int) -> None:
        """Take note, before the first run, of how many samples all runs together are going to have."""
        ...


class Backend(Plugin, Protocol):
    """A simulator; found by its entry point in the group ``snntoolbox.backends``. It may be `Costly` too."""

    def build(self, network: SpikingNetwork, **options: Any) -> Executable:
        """The network on this simulator; UnsupportedError lists every part that it cannot run."""
        ...


@runtime_checkable
class Costly(Protocol):
    """A backend that should not be given networks of any size: its `build` refuses them, and has an option `force`."""

    @property
    def cost(self) -> Cost:
        """What a neuron and a synapse take there."""
        ...


# -- what writes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Check:
    """What was checked of a thing that was written, and how it ended; `why` unless it passed.

    goal: in the user's words, or that of a Makefile.
    """

    goal: str
    outcome: Literal["passed", "failed", "not finished", "not checked"]
    why: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether it did."""
        return self.outcome == "passed"


@dataclass(frozen=True, eq=False, kw_only=True)
class Exported:
    """What an exporter has written: the folder, what was checked of it, and what is known of it, for a program."""

    folder: Path
    checks: tuple[Check, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def files(self) -> tuple[str, ...]:
        """The files in the folder, sorted."""
        paths = (p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())
        return tuple(sorted(path for path in paths if path != MARKER))


@runtime_checkable
class Exporter(Plugin, Protocol):
    """Writes networks as files; found by its entry point in the group ``snntoolbox.exporters``.

    It may be `HasOptions` and `ReadsBack` too.
    """

    def export(
        self, network: SpikingNetwork, folder: Path, samples: tuple[Array, ...] = (), **options: Any
    ) -> Exported:
        """Write the network into an empty folder, which gets its name when all is done; UnsupportedError as `build`.

        `samples` are one array for each input, or none: what a target is laid out for, or its test vectors.
        """
        ...


@runtime_checkable
class HasOptions(Protocol):
    """An exporter whose `export` takes options: the fields of a dataclass, which refuses values that cannot be.

    It is made before any long work. One without it has no options. Two fields are filled for the user: `duration` (ms)
    from the settings, and `force`, whether to write what is too large.
    """

    @property
    def options(self) -> type[Any]:
        """The dataclass."""
        ...


@runtime_checkable
class ReadsBack(Protocol):
    """An exporter that is its own inverse: what is read back equals what was written."""

    def read(self, folder: Path) -> SpikingNetwork:
        """The network in a folder that `export` wrote."""
        ...
