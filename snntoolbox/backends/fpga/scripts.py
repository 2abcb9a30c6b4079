"""Writes what builds and checks a project: the Makefile, the scripts of synthesis, place and route, the constraints."""

from __future__ import annotations

from snntoolbox.backends.fpga.targets import Device, Target
from snntoolbox.backends.templates import filled

PACKERS = {"nextpnr-ice40": ("asc", "icepack", "bin"), "nextpnr-ecp5": ("textcfg", "ecppack", "bit")}
"""For each place and route: what it writes, what makes the bitstream of that, and its ending."""


def scripts(
    target: Target, device: Device | None, top: str, wrapper: str, samples: int, clock_mhz: float
) -> dict[str, str]:
    """The files that build and check the module `top`, its `wrapper` included: path in the project -> text."""
    router = target.router if device is not None else ""
    vivado = target.constraints == "xdc" and device is not None
    texts = {
        "synth/synth.ys": filled(
            __package__, "synth.ys", top=top, synthesis=target.synthesis, after=target.after, router=router
        ),
        "Makefile": filled(
            __package__, "Makefile", top=top, wrapper=wrapper, samples=samples, router=router, vivado=vivado,
            goals=("route", "bitstream") if router else ("vivado",) if vivado else (),
            device=device, constraints=target.constraints, clock=clock_mhz, packer=PACKERS.get(router),
        ),
    }  # fmt: skip
    if device is not None:
        ending = target.constraints
        texts[f"constraints/{top}.{ending}"] = filled(
            __package__, f"constraints.{ending}", top=top, part=device.part, clock=clock_mhz
        )
        if vivado:
            texts["synth/build.tcl"] = filled(__package__, "build.tcl", top=top, part=device.part)
    return texts
