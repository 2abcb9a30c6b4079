"""Whether what a run keeps for its result fits on this machine, known before the run begins."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from contextlib import suppress

from snntoolbox.backends.estimates import readable
from snntoolbox.errors import TooLargeError
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.result import Record

BYTES, _POTENTIAL, _SPIKE = 8, 4, 1
"""Bytes of an output or class, of a potential and of a spike that are kept."""

_NAMED = 2**47
"""Bytes that a process can name, where nothing else bounds them."""


def machine_room() -> int:
    """Bytes for which there is room: memory and, for what goes into temporary files, disk; no more than is allowed."""
    room = _NAMED
    with suppress(ValueError, OSError, AttributeError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        room = memory + shutil.disk_usage(tempfile.gettempdir()).free
    with suppress(ImportError, ValueError, OSError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        room = room if limit == resource.RLIM_INFINITY else min(room, limit)
    return room


def bytes_per_step(network: SpikingNetwork, record: Record | None) -> int:
    """Bytes that a sample takes for each step of its result."""
    record = record or Record()
    kept = sum(math.prod(r.shape) * BYTES for r in network.readouts) if record.outputs_per_step else 0
    for name, population in network.populations.items():
        graded = isinstance(population.neuron, IF) and population.neuron.graded
        kept += population.size * (BYTES if graded else _SPIKE) if record.wants_spikes(name) else 0
        kept += population.size * _POTENTIAL if record.wants_potentials(name) else 0
    return kept


def check_room(steps: int, bytes_each: int, samples: int) -> None:
    """TooLargeError where so many bytes for each of so many steps and samples do not fit on this machine."""
    needed, room = steps * bytes_each * samples, machine_room()
    if needed > room:
        each = f"{samples} samples" if samples > 1 else "a sample"
        raise TooLargeError(
            f"what is kept of {steps:,} steps for {each} takes about {readable(needed)}, this machine has room for "
            f"{readable(room)}",
            hint="fewer steps (a shorter duration, a larger dt), a smaller batch_size, or less that is recorded",
        )
