"""The table of targets: their devices with what these hold, and the tools that build for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snntoolbox.errors import BackendError


@dataclass(frozen=True, kw_only=True)
class Device:
    """What a chip holds. blocks: block RAMs of the target's kind; lut_ram: bits that LUTs can hold as memory.

    option: how nextpnr calls it; part: how its vendor calls it, with the package. clock_mhz: clock of the report.
    """

    name: str
    part: str
    luts: int
    flipflops: int
    blocks: int
    dsps: int
    lut_ram: int = 0
    option: str = ""
    package: str = ""
    clock_mhz: float = 100.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """A family of devices, the first of which is the default.

    synthesis: command of Yosys; after: those that follow it. block_bits: bits of one block RAM, parity included.
    constraints: ending of the constraints file, none where there is no device. router: its place and route, if open.
    watts: the power published for a design of this size on such a chip, 0 where none is known, with its `source`.
    """

    name: str
    synthesis: str
    after: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    block_bits: int = 0
    constraints: str = ""
    router: str = ""
    watts: float = 0.0
    source: str = ""

    def device(self, name: str = "") -> Device | None:
        """The device of a name, or the default; None for a target without devices. BackendError for another name."""
        if not name:
            return self.devices[0] if self.devices else None
        for device in self.devices:
            if device.name == name:
                return device
        known = ", ".join(d.name for d in self.devices) or "no devices"
        raise BackendError(f"target '{self.name}' has no device '{name}'", hint=f"it has {known}")


# RAMB18E1: UG473. DP16KD: FPGA-TN-02204. SB_RAM40_4K: FPGA-TN-02002.
_RAMB18, _DP16K, _RAM4K = 18432, 18432, 4096

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target(
            name="artix7",
            synthesis="synth_xilinx -family xc7 -noiopad -flatten",
            # DS180, table 4; a RAMB36 is counted as two RAMB18.
            devices=(
                Device(
                    name="xc7a35t", part="xc7a35tcpg236-1", luts=20800, flipflops=41600, blocks=100, dsps=90,
                    lut_ram=400 * 1024,
                ),
                Device(
                    name="xc7a100t", part="xc7a100tcsg324-1", luts=63400, flipflops=126800, blocks=270, dsps=240,
                    lut_ram=1188 * 1024,
                ),
            ),
            block_bits=_RAMB18,
            constraints="xdc",
            watts=0.18, source="Spiker+ (arXiv:2401.01141), a network for MNIST on a chip of the same family",
        ),
        Target(
            name="ice40",
            synthesis="synth_ice40",
            # FPGA-DS-02029 and FPGA-DS-02008; without the large RAM of the up5k, which cannot be filled with weights.
            devices=(
                Device(
                    name="hx8k", part="iCE40HX8K-CT256", luts=7680, flipflops=7680, blocks=32, dsps=0,
                    option="--hx8k", package="ct256", clock_mhz=50.0,
                ),
                Device(
                    name="up5k", part="iCE40UP5K-SG48", luts=5280, flipflops=5280, blocks=30, dsps=8,
                    option="--up5k", package="sg48", clock_mhz=24.0,
                ),
            ),
            block_bits=_RAM4K,
            constraints="pcf",
            router="nextpnr-ice40",
        ),
        Target(
            name="ecp5",
            synthesis="synth_ecp5",
            # FPGA-DS-02012, table 1.1.
            devices=(
                Device(
                    name="25k", part="LFE5U-25F-6BG381C", luts=24288, flipflops=24288, blocks=56, dsps=28,
                    lut_ram=194 * 1024, option="--25k", package="CABGA381",
                ),
                Device(
                    name="85k", part="LFE5U-85F-6BG381C", luts=83640, flipflops=83640, blocks=208, dsps=156,
                    lut_ram=669 * 1024, option="--85k", package="CABGA381",
                ),
            ),
            block_bits=_DP16K,
            constraints="lpf",
            router="nextpnr-ecp5",
        ),
        # Any chip: LUTs of 4 inputs. Without its step memory_map, which takes memories apart into flip-flops.
        Target(
            name="generic", synthesis="synth -flatten -run begin:fine",
            after=("opt -fast -full", "techmap", "opt -fast", "abc -fast -lut 4", "opt_clean"),
        ),
    )
}  # fmt: skip


def target_of(name: str) -> Target:
    """The target of this name; BackendError where there is none."""
    if name not in TARGETS:
        raise BackendError(f"there is no target '{name}'", hint=f"there are {', '.join(TARGETS)}")
    return TARGETS[name]
