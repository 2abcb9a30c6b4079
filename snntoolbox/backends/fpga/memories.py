"""The memories of a design, what they take of a device, and the refusal of those that do not fit, before synthesis."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from snntoolbox.backends.fpga.targets import TARGETS, Device, Target
from snntoolbox.backends.verilog.design import Design
from snntoolbox.errors import TooLargeError

SMALL = 2
"""A memory of less than half a block RAM may go into LUTs: the count of block RAMs is one that is surely needed."""
_LISTED = 5
_HEADER = re.compile(r"// .*; (\d+) bits a word\n")


@dataclass(frozen=True)
class Memory:
    """A memory of `words` words; `weights` for one that holds nothing but weights."""

    name: str
    words: int
    bits: int
    weights: bool = False

    @property
    def size(self) -> int:
        """All its bits."""
        return self.words * self.bits

    def narrowed(self, factor: float) -> Memory:
        """The same with weights of so many times the bits; others stay."""
        return Memory(self.name, self.words, max(1, round(self.bits * factor))) if self.weights else self


def memories(design: Design, texts: Mapping[str, str]) -> list[Memory]:
    """The memories of a design with these files, the largest first: weights, addresses, potentials, input currents.

    Queues are left out: they are read at once, which no block RAM can.
    """
    listed = []
    for name, text in texts.items():
        if header := _HEADER.match(text):
            listed.append(Memory(name, text.count("\n") - 1, int(header[1]), "_weights" in name))
    for layer in design.layers:
        listed.append(Memory(f"{layer.module}: potentials", layer.words, layer.lanes * layer.bits))
        for name, store in layer.counts.items():
            listed.append(Memory(f"{layer.module}: {name}", store.words, store.row))
        if layer.current_bits:
            listed.append(Memory(f"{layer.module}: input currents", layer.words, layer.lanes * layer.current_bits))
    return sorted(listed, key=lambda m: -m.size)


@dataclass(frozen=True)
class Fit:
    """What memories take: block RAMs at least, and bits that go into LUTs; and what the device has of both."""

    bits: int
    blocks: int
    small_bits: int
    device: Device | None

    @property
    def fits(self) -> bool:
        """Whether nothing says that it does not fit."""
        return self.device is None or self.blocks <= self.device.blocks


def blocks_of(memory: Memory, target: Target) -> int:
    """The block RAMs that one memory takes at least, however its words are cut; none for a small one."""
    if not target.block_bits or memory.size * SMALL < target.block_bits:
        return 0
    return -(-memory.size // target.block_bits)


def fit(needed: Iterable[Memory], target: Target, device: Device | None) -> Fit:
    """What these memories take of a device of the target."""
    each = [(memory, blocks_of(memory, target)) for memory in needed]
    small = sum(memory.size for memory, blocks in each if not blocks)
    return Fit(sum(m.size for m, _ in each), sum(blocks for _, blocks in each), small, device)


def check_fits(needed: list[Memory], target: Target, device: Device | None, weight_bits: int, lanes: int) -> Fit:
    """What the memories take of the device; TooLargeError with what would make them fit if they do not."""
    total = fit(needed, target, device)
    if total.fits or device is None:
        return total
    lines = [
        f"    {m.name}: {m.words} words of {m.bits} bits, {blocks_of(m, target)} block RAMs" for m in needed[:_LISTED]
    ]
    raise TooLargeError(
        f"too large for {target.name} {device.name}: its memories of {total.bits} bits take at least {total.blocks} "
        f"block RAMs of {target.block_bits} bits, the device has {device.blocks}. The largest are:\n"
        + "\n".join(lines),
        hint="; ".join(remedies(needed, target, device, weight_bits, lanes)),
    )


def remedies(needed: list[Memory], target: Target, device: Device, weight_bits: int, lanes: int) -> list[str]:
    """What would make memories fit that do not: each is worked out, not guessed."""
    hints = []
    for bits in range(weight_bits - 1, 1, -1):
        if fit([m.narrowed(bits / weight_bits) for m in needed], target, device).fits:
            hints.append(f"[conversion] weight_bits = {bits} fits")
            break
    larger = [d.name for d in target.devices if fit(needed, target, d).fits]
    if larger:
        hints.append(f"--device {larger[0]} holds it")
    others = [t.name for t in TARGETS.values() if t is not target and t.devices and fit(needed, t, t.device()).fits]
    if others and not larger:
        hints.append(f"--target {others[0]} holds it")
    if lanes > 1:
        hints.append("fewer --lanes need narrower memories")
    return [
        *(hints or ["no device in the table holds it: a smaller network is needed"]),
        "--force writes it all the same",
    ]
