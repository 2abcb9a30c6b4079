"""A data set in memory: samples, with class labels or regression targets if there are any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from snntoolbox.ir.large_arrays import check_unchanged
from snntoolbox.workflow.data.labels import check_same_length, check_samples, interpret_labels


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples `x`, of shape (samples, *shape of one) and type float32, and their `y`.

    `y` holds class indices (int64, one per sample), or regression targets (float32, any shape) if `regression` is
    True, or is None. `x` and `y` may lie in a file that is mapped into memory and may be read-only.
    `class_names` maps class indices to the folder names of an image data set, and `numbered` says that the user has
    numbered them, not the order of the names. `span` is the lowest and the highest class of the whole file that `y` is
    a part of; `truths` says that these were True and False. `spikes`, (samples, steps, *shape of one) and int8, is what
    the samples are as given spikes, None where they are presented as they are.
    """

    x: np.ndarray
    y: np.ndarray | None = None
    regression: bool = False
    class_names: Mapping[int, str] = field(default_factory=dict)
    span: tuple[int, int] | None = None
    truths: bool = False
    numbered: bool = False
    spikes: np.ndarray | None = None

    @property
    def presented(self) -> np.ndarray:
        """What a spiking network is given."""
        return self.x if self.spikes is None else self.spikes

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray | None = None, *, source: str = "x", labels: str = "y") -> Dataset:
        """Return a checked data set; labels may be one-hot. `source` and `labels` name the arrays in a DataError."""
        samples = check_samples(np.asarray(x), source)
        if y is None:
            return cls(samples)
        check_same_length(samples, source, np.asarray(y), labels)
        meaning = interpret_labels(np.asarray(y), labels)
        return cls(samples, meaning.values, meaning.regression, span=meaning.span, truths=meaning.truths)

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: Sequence[int] | slice) -> Dataset:
        """Return the samples at `indices`, in that order; a slice copies nothing."""
        chosen = indices if isinstance(indices, slice) else np.asarray(indices, dtype=np.intp)
        y, spikes = (None if part is None else part[chosen] for part in (self.y, self.spikes))
        return replace(self, x=self.x[chosen], y=y, spikes=spikes)

    def batches(self, size: int) -> Iterator[Dataset]:
        """Yield the data set in pieces of `size` samples; the last may be smaller."""
        for start in range(0, len(self), size):
            check_unchanged(self.x)
            yield self.take(slice(start, start + size))
