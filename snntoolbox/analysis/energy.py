"""An estimate of the energy per sample on named devices: counted operations times published costs of one operation.

docs/energy.md says what the figures are worth, and gives the sources in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.operations import ann_operations, multiply_accumulates

PICO = 1e-12


@dataclass(frozen=True, kw_only=True)
class Device:
    """What one operation costs, in picojoules; None where nothing is published, or another cost contains it.

    synaptic: a synaptic operation. update: a neuron for one step. mac, add: a multiply-accumulate and an addition of
    an analogue network. `covers` says what the costs contain.
    """

    name: str
    synaptic: float
    update: float | None
    mac: float | None = None
    add: float | None = None
    covers: str
    source: str


_HOROWITZ = "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014"

DEVICES: tuple[Device, ...] = (
    Device(
        name="45 nm CMOS, float32",
        synaptic=0.9,
        update=0.9,
        mac=4.6,
        add=0.9,
        covers="arithmetic alone, no memory: an addition of 0.9 pJ, a multiplication of 3.7 pJ",
        source=_HOROWITZ,
    ),
    Device(
        name="45 nm CMOS, int8",
        synaptic=0.1,
        update=0.1,
        mac=0.3,
        add=0.1,
        covers="arithmetic alone, no memory: a multiplication of 8 bits of 0.2 pJ, an addition of 32 bits of 0.1 pJ",
        source=_HOROWITZ,
    ),
    Device(
        name="Loihi",
        synaptic=23.6,
        update=81.0,
        covers="simulated before silicon: the least cost of a synaptic operation, an active neuron; no spike transport",
        source="M. Davies et al., Loihi: a neuromorphic manycore processor with on-chip learning, IEEE Micro 38 2018",
    ),
    Device(
        name="TrueNorth",
        synaptic=26.0,
        update=None,
        covers="measured: all power of the chip over its synaptic events, at 20 Hz and 128 synapses per neuron",
        source="P. A. Merolla et al., A million spiking-neuron integrated circuit, Science 345(6197) 2014",
    ),
    Device(
        name="SpiNNaker 2 prototype",
        synaptic=450.0,
        update=2190.0,
        covers="measured on a 28 nm test chip with dynamic voltage: processing elements without their baseline power",
        source="S. Höppner et al., Dynamic power management for neuromorphic many-core systems, IEEE TCAS-I 66(8) 2019",
    ),
)
"""The table; a new device is one entry, its source an entry in docs/energy.md, which a test compares."""

ASSUMPTIONS = (
    "operations are counted by structure, their costs are published figures for one operation on the device; memory, "
    "transport of spikes, idle power and the host are in it only as far as a cost covers them; every neuron is updated "
    "in every step; a constant input is multiplied once per sample, where the device has a cost for that"
)


@dataclass(frozen=True, kw_only=True)
class Work:
    """Operations of a spiking network per sample; `inputs` are those of constant input before the first step."""

    synaptic: float
    updates: int
    inputs: int = 0


@dataclass(frozen=True, kw_only=True)
class AnalogueWork:
    """Operations of an analogue network per sample: multiply-accumulates, and additions and the like."""

    macs: int
    others: int


def work_of(graph: Graph) -> AnalogueWork:
    """What a graph does per sample."""
    macs = multiply_accumulates(graph)
    return AnalogueWork(macs=macs, others=ann_operations(graph) - 2 * macs)


def spiking_energy(device: Device, work: Work) -> float:
    """Joules per sample of a spiking network."""
    inputs = 0.0 if device.mac is None else device.mac * work.inputs / 2
    return PICO * (device.synaptic * work.synaptic + (device.update or 0.0) * work.updates + inputs)


def analogue_energy(device: Device, work: AnalogueWork) -> float | None:
    """Joules per sample of an analogue network; None on a device that has no cost for it."""
    if device.mac is None or device.add is None:
        return None
    return PICO * (device.mac * work.macs + device.add * work.others)


def energy(work: Work, original: AnalogueWork | None) -> Mapping[str, Any]:
    """What a report says: joules per sample on each device, with what its costs cover and where they are published."""
    devices = {
        device.name: {
            "spiking": spiking_energy(device, work),
            "original": None if original is None else analogue_energy(device, original),
            "covers": device.covers,
            "source": device.source,
        }
        for device in DEVICES
    }
    return {"unit": "joules per sample, an estimate", "assumptions": ASSUMPTIONS, "devices": devices}
