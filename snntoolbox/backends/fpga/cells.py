"""Counts what the cells of a synthesised netlist take of a device: LUTs, flip-flops, block RAMs, DSPs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a netlist takes. luts: all, those of memories and carries included; lut_ram: those of memories alone.

    blocks: block RAMs of the target's kind. cells: the number of each kind of cell, as Yosys counts them.
    """

    luts: int
    lut_ram: int
    flipflops: int
    blocks: int
    dsps: int
    cells: Mapping[str, int]


# How many LUTs, flip-flops and so on a cell is. A LUT with two RAM ports and those of its address decoder: UG474,
# table 2-3. An inverter is a LUT unless place and route absorbs it. A carry of the ECP5 is two LUTs.
_LUTS = {r"LUT[1-6]|SB_LUT4|LUT4|\$lut": 1, r"INV": 1, r"CCU2C": 2}
_LUT_RAM = {
    r"RAM32M|RAM64M|RAM128X1D|RAM256X1S": 4,
    r"RAM32X1D|RAM64X1D|RAM128X1S": 2,
    r"RAM32X1S|RAM64X1S|SRL16E|SRLC32E": 1,
    # Two slices of LUTs and half of one for the write port.
    r"TRELLIS_DPR16X4": 6,
}
_FLIPFLOPS = {r"FD[RSCP]E(_1)?|SB_DFF\w*|TRELLIS_FF|\$_S?DFF\w*|\$_ALDFF\w*": 1}
_BLOCKS = {r"RAMB18E1|SB_RAM40_4K\w*|DP16KD": 1, r"RAMB36E1": 2}
_DSPS = {r"DSP48E1|SB_MAC16|MULT18X18D": 1}


def resources(cells: Mapping[str, int]) -> Resources:
    """What these cells take; carries and multiplexers of slices cost no LUT."""

    def total(table: Mapping[str, int]) -> int:
        return sum(
            count * weight
            for kind, count in cells.items()
            for pattern, weight in table.items()
            if re.fullmatch(pattern, kind)
        )

    lut_ram = total(_LUT_RAM)
    return Resources(
        luts=total(_LUTS) + lut_ram,
        lut_ram=lut_ram,
        flipflops=total(_FLIPFLOPS),
        blocks=total(_BLOCKS),
        dsps=total(_DSPS),
        cells=dict(cells),
    )


def cells_of(text: str) -> dict[str, int]:
    """The cells of the whole design from what ``stat -json`` of Yosys gives."""
    data = json.loads(text[text.index("{") :])
    return {str(kind): int(count) for kind, count in data["design"]["num_cells_by_type"].items()}
