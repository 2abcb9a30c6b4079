"""Deploys a network on an FPGA: `export` to fpga, with the words of a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from snntoolbox.backends.export import export
from snntoolbox.backends.fpga.exporter import FpgaExporter
from snntoolbox.backends.fpga.write import Deployment
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array


@checked
def deploy(
    network: SpikingNetwork,
    x: Array | Sequence[Array],
    folder: Path | str,
    *,
    target: str,
    duration: float | None = None,
    samples: int = 3,
    **choices: Any,
) -> Deployment:
    """Write a network on the integer grid as a hardware project for a target, check it and report.

    `x` are samples: all of them set the largest input current, the first few (`samples`) go into the test bench.
    `target` is artix7, ice40, ecp5 or generic; `choices` are fields of `Options`. UnsupportedError lists all that
    hardware cannot be, TooLargeError says that the device is too small, OutputError that the folder is not empty.
    """
    fpga = FpgaExporter()
    exported = export(network, fpga, folder, x, target=target, duration=duration, bench_samples=samples, **choices)
    return cast(Deployment, exported)
