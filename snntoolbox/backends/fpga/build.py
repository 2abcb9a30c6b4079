"""What a project is built for: the options of an export, and the target, the device and the clock that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from snntoolbox.backends.fpga.targets import TARGETS, Device, Target, target_of
from snntoolbox.backends.options import VALUES
from snntoolbox.backends.verilog.capabilities import check_sizes
from snntoolbox.errors import BackendError
from snntoolbox.ir.network import SpikingNetwork

NETWORK = "network.npz"
"""The network as it is built, among the files of a project."""

Accuracy = Callable[[SpikingNetwork, SpikingNetwork], Mapping[str, Any]]
"""What the report says of accuracy, for the network as it is built and before its potentials saturate."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """What is built, and for what. None of it changes a spike, but for `saturate`.

    clock_mhz: of the report and the constraints. watts: what energy is estimated from, 0 for none. lanes, queue,
    membrane_bits: see `Choices`. saturate: clip potentials to membrane_bits instead of refusing them. force: also what
    does not fit.
    """

    target: Target
    device: Device | None
    clock_mhz: float
    watts: float = 0.0
    lanes: int = 1
    queue: int = 4
    membrane_bits: int = 0
    saturate: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.clock_mhz <= 10000:
            raise BackendError(f"a clock of {self.clock_mhz} MHz is not above 0 and at most 10000")
        if not 0 <= self.watts <= 1000:
            raise BackendError(f"a power of {self.watts} W is not from 0 to 1000")
        check_sizes(self.lanes, self.queue)
        if not 0 <= self.membrane_bits <= 64:
            raise BackendError(f"membranes of {self.membrane_bits} bits are not from 1 to 64, or 0 for what is needed")


@dataclass(frozen=True, kw_only=True)
class Options:
    """For which target, device and clock, how wide, and how long checks may take (seconds; 0 checks nothing).

    duration: ms of an inference, None for those of the network. bench_samples: how many samples go into the test bench.
    clock_mhz: 0 for that of the device. watts: power from which energy is estimated, 0 for what is published for the
    target, if anything. queue: words of each queue of spikes. membrane_bits: refuse potentials that
    need more, or with `saturate` clip them, see `saturated`; 0 for any. force: write what does not fit the device, too.
    """

    target: str = field(metadata={VALUES: tuple(TARGETS)})
    device: str = ""
    duration: float | None = None
    bench_samples: int = 3
    clock_mhz: float = 0.0
    watts: float = 0.0
    lanes: int = 1
    queue: int = 4
    membrane_bits: int = 0
    saturate: bool = False
    sim_seconds: float = 600.0
    synth_seconds: float = 600.0
    force: bool = False

    def __post_init__(self) -> None:
        self.build()
        if self.bench_samples < 1:
            raise BackendError(f"{self.bench_samples} samples are no test", hint="--samples 1 or more")
        if not (self.sim_seconds >= 0 and self.synth_seconds >= 0):
            times = f"{self.sim_seconds:g} and {self.synth_seconds:g}"
            raise BackendError(f"checks cannot take {times} seconds", hint="give 0 or more; 0 runs none")
        if self.saturate and not self.membrane_bits:
            raise BackendError("potentials that saturate need a width", hint="--membrane-bits 16, for instance")

    def build(self) -> Build:
        """The same with the target and the device themselves; BackendError where a choice cannot be."""
        target = target_of(self.target)
        device = target.device(self.device)
        return Build(
            target=target, device=device, clock_mhz=self.clock_mhz or (100.0 if device is None else device.clock_mhz),
            watts=self.watts or target.watts, lanes=self.lanes, queue=self.queue, membrane_bits=self.membrane_bits,
            saturate=self.saturate, force=self.force,
        )  # fmt: skip
