"""Class folders of recordings to samples: each a frame for the original network and spikes for the spiking one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.large_arrays import LARGE, room
from snntoolbox.ir.node import Shape
from snntoolbox.workflow.data.choosing import chosen_samples
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.data.events.frames import Clock, Placed, Placement, placed, placement
from snntoolbox.workflow.data.events.reading import READERS, read_recording
from snntoolbox.workflow.data.events.recording import Recording
from snntoolbox.workflow.data.folders import ClassFolders, FileKind, class_folders, files_in

log = logging.getLogger(__name__)

RECORDINGS = FileKind("recordings", tuple(READERS))
IN_MEMORY = LARGE
"""Spikes of more bytes are kept in a temporary file."""


@dataclass(frozen=True, kw_only=True)
class EventOptions:
    """What settings say of recordings: see the keys of the same names.

    events: of a sample, -1 for the whole recording. `value`: what an event adds to a frame, None for one divided by the
    largest sum. `width`: µs of a step, 0 to fill all of them. presented:
    whether spikes are made; else there are frames alone.
    """

    steps: int
    events: int = 2000
    width: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    class_file: Path | None = None
    chip: tuple[int, int] | None = None
    method: str = ""
    data_format: str = ""
    x_first: bool = False
    x_flipped: bool = False
    y_flipped: bool = False
    unique: bool = True
    clipped: bool = True
    value: float | None = None
    presented: bool = True

    def placement(self, shape: Shape) -> Placement:
        """Where events go in samples of this shape."""
        return placement(
            shape, self.method, self.data_format, x_first=self.x_first, x_flipped=self.x_flipped,
            y_flipped=self.y_flipped, chip=self.chip, unique=self.unique, clipped=self.clipped,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sample:
    """Some events of one recording, and its class."""

    events: Placed
    label: int


def folders_of(root: Path, options: EventOptions) -> ClassFolders:
    """The recordings below `root` by class."""
    found = class_folders(root, options.classes, options.class_file, RECORDINGS, options.labels)
    if not found.files:
        raise _none_in(root)
    return found


def event_samples(files: Iterable[tuple[Path, int]], options: EventOptions, shape: Shape) -> list[Sample]:
    """The samples of recordings: first the first piece of each recording, then the second of each that has one."""
    where = options.placement(shape)
    numbered: list[tuple[int, Sample]] = []
    for path, label in files:
        recording = read_recording(path, options.chip)
        own = _for(path, recording, where)
        numbered += [(i, Sample(placed(part, own), label)) for i, part in enumerate(_pieces(recording, options.events))]
    return [sample for _, sample in sorted(numbered, key=lambda pair: pair[0])]


def _pieces(recording: Recording, events: int) -> list[Recording]:
    size = len(recording) if events < 0 else events
    return [recording.part(start, start + size) for start in range(0, len(recording), size)]


def _for(path: Path, recording: Recording, where: Placement) -> Placement:
    """With the size of the chip: that of the settings, of the file, else of the image."""
    chip = where.chip or recording.chip
    if chip is None and not where.fits(recording):
        told = f"{path} does not say how large its chip is, and has events outside an image of {where.image}"
        raise DataError(told, hint="set input.chip_size = (width, height)")
    return replace(where, chip=chip)


def load_events(
    root: Path,
    options: EventOptions,
    shape: Shape,
    *,
    limit: int | None = None,
    indices: Sequence[int] | None = None,
    labelled: bool = True,
) -> Dataset:
    """The samples of the recordings below `root`; of calibration samples no labels are wanted.

    `indices` chooses samples. Otherwise `limit` takes so many: of recordings spread evenly over all classes.
    """
    folders = folders_of(root, options) if labelled else None
    files = _without_classes(root) if folders is None else folders.files
    if not indices and limit is not None and 0 <= limit < len(files):
        files = [files[i] for i in chosen_samples(len(files), limit, None, str(root), spread=True)]
    samples = event_samples(files, options, shape)
    chosen = chosen_samples(len(samples), limit, indices, str(root), calibration=not labelled)
    return _dataset([samples[i] for i in chosen], options, folders)


def _without_classes(root: Path) -> Sequence[tuple[Path, int]]:
    files = files_in(root, RECORDINGS)
    if not files:
        raise _none_in(root)
    return [(path, 0) for path in files]


def _none_in(root: Path) -> DataError:
    known = ", ".join(RECORDINGS.suffixes)
    return DataError(f"{root} holds no recordings ({known})", hint="correct paths.dataset_path")


def _dataset(samples: Sequence[Sample], options: EventOptions, folders: ClassFolders | None) -> Dataset:
    """Frames and spikes of samples."""
    clock, shape = Clock(options.steps, options.width), samples[0].events.shape
    x = room((len(samples), *shape), np.float32, IN_MEMORY)
    spikes = room((len(samples), options.steps, *shape), np.int8, IN_MEMORY) if options.presented else None
    lost = 0
    for i, sample in enumerate(samples):
        x[i] = sample.events.frame() * np.float32(options.value or 1.0)
        if spikes is not None:
            spikes[i], late = clock.train(sample.events)
            lost += late
    if lost:
        _tell_lost(lost, sum(len(sample.events.place) for sample in samples), options)
    if folders is None:
        return Dataset(x, spikes=spikes)
    y = np.array([sample.label for sample in samples], np.int64)
    span = (min(folders.names), max(folders.names))
    return Dataset(x, y, class_names=folders.names, numbered=folders.numbered, span=span, spikes=spikes)


def with_value(options: EventOptions, root: Path, shape: Shape) -> EventOptions:
    """The options with what an event adds to a frame: that which is set, else so that the largest sum is 1."""
    if options.value is not None:
        return options
    samples = event_samples([(path, 0) for path in files_in(root, RECORDINGS)], options, shape)
    largest = max((float(np.abs(sample.events.frame()).max(initial=0)) for sample in samples), default=0.0) or 1.0
    told = "events count 1/%g in frames, as that is the largest sum of a pixel in %s; rescale in datagen_kwargs sets it"
    log.warning(told, largest, root)
    return replace(options, value=1 / largest)


def _tell_lost(lost: int, all_events: int, options: EventOptions) -> None:
    way = "a larger input.eventframe_width, or 0" if options.width else "fewer events a sample, or do_clip_three_sigma"
    told = "%.1f %% of the events find no step within simulation.duration; more steps, %s, take them in"
    log.warning(told, 100 * lost / all_events, way)
