"""What a backend is: a name, capabilities as data, and a way to build something that runs."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result


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


class Backend(Protocol):
    """A simulator; found by its entry point in the group ``snntoolbox.backends``. Importing it imports no simulator.

    One that should not be given networks of any size has a `cost` too (`estimates.Cost`), and an option `force`.
    """

    name: str
    capabilities: Capabilities

    def build(self, network: SpikingNetwork, **options: Any) -> Executable:
        """The network on this simulator; UnsupportedError lists every part that it cannot run."""
        ...
