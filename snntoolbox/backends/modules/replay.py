"""Runs a module that was written, as its users do, and sees the spikes of its neurons."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch

from snntoolbox.backends.modules.files import CODE
from snntoolbox.ir.host import HostInput, checked_batch
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result

MODULE = "snntoolbox_written_module"


class Replay:
    """A written network, loaded from its folder; `neurons` are the attributes of its populations."""

    def __init__(self, network: SpikingNetwork, *, folder: Path, neurons: Mapping[str, str]) -> None:
        self.network = network
        self.module: Any = _loaded(folder / CODE)
        self.fired: dict[str, list[Array]] = {name: [] for name in neurons}
        for name, called in neurons.items():
            getattr(self.module, called).register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Callable[..., None]:
        shape = self.network.populations[name].shape

        def seen(module: Any, given: Any, spikes: torch.Tensor) -> None:
            self.fired[name].append(spikes.detach().numpy().reshape(-1, *shape) > 0)

        return seen

    def run(
        self,
        *x: Array,
        steps: int,
        record: Record | None = None,
        first_sample: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run one batch; the result holds all spikes, and the outputs after the last step."""
        x = checked_batch(self.network, x, steps)
        trains = HostInput(self.network, x, steps, first_sample).trains
        for fired in self.fired.values():
            fired.clear()
        inputs = [
            torch.from_numpy(np.array(trains.get(name, values), np.float64))
            for name, values in zip(self.network.encodings, x, strict=True)
        ]
        with torch.no_grad():
            values = self.module(*inputs, steps=steps)
        outputs = values if isinstance(values, tuple) else (values,)
        spikes = {name: np.stack(fired) for name, fired in self.fired.items()}
        return Result(
            steps=steps,
            samples=len(x[0]),
            window=self.network.window,
            heads=self.network.heads,
            counts={name: train.sum(axis=0, dtype=np.int64) for name, train in spikes.items()},
            outputs={r.name: v.numpy() for r, v in zip(self.network.readouts, outputs, strict=True)},
            spikes=spikes,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget the file that was loaded."""
        sys.modules.pop(MODULE, None)


def _loaded(path: Path) -> Any:
    """The module that the file makes, as ``load()`` in it gives it."""
    spec = spec_from_file_location(MODULE, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[MODULE] = module
    spec.loader.exec_module(module)
    return module.load()
