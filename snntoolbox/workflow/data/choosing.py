"""Which samples of a data set are taken."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from snntoolbox.errors import DataError
from snntoolbox.workflow.data.folders import IMAGES, FileKind

log = logging.getLogger(__name__)


def chosen_samples(
    count: int,
    limit: int | None,
    indices: Sequence[int] | None,
    source: str,
    *,
    spread: bool = False,
    calibration: bool = False,
    kind: FileKind = IMAGES,
) -> Sequence[int]:
    """Which of `count` samples of a `source` to take: those of `indices`, else so many as the `limit`, -1 for all.

    The first ones, or with `spread` evenly from all. DataError where there are none, or not those.
    """
    if not count:
        what = f"no {kind.words} ({', '.join(kind.suffixes)})" if spread else "no samples"
        raise DataError(f"{source} holds {what}", hint="correct paths.dataset_path or save the samples there")
    if indices is not None and len(indices):
        outside = [i for i in indices if not 0 <= i < count]
        if outside:
            raise DataError(
                f"{source} holds {count} samples, but sample {outside[0]} is asked for",
                hint=f"simulation.sample_idxs_to_test counts from 0 to {count - 1}",
            )
        if repeated := sorted(i for i, often in Counter(indices).items() if often > 1):
            names = ", ".join(map(str, repeated[:5])) + (", ..." if len(repeated) > 5 else "")
            log.warning("simulation.sample_idxs_to_test names samples more than once, each counts as often: %s", names)
        return indices
    if limit is not None and limit > count:
        key = "normalization.num_samples" if calibration else "simulation.num_to_test"
        log.warning("%s = %d, but %s holds %d samples: all of them are taken", key, limit, source, count)
    if limit is None or limit < 0 or limit >= count:
        return range(count)
    return [i * count // limit for i in range(limit)] if spread else range(limit)
