"""What a story says while it works: warnings and seconds, which its report repeats, and how far it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from snntoolbox.ir.progress import watched
from snntoolbox.workflow.progress_lines import tell, told_progress
from snntoolbox.workflow.report.progress_bars import progress_bar

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Journal:
    """The seconds of each stage and all warnings so far."""

    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of a stage."""
        log.info("%s ...", stage)
        tell("stage", name=stage)
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
        log.info("%s took %.3f s", stage, self.seconds[stage])

    def warn(self, message: str) -> None:
        """Say what the user should know, in the log and in the report."""
        log.warning(message)
        tell("warning", message=message)
        self.warnings.append(message)


def watching(verbose: int) -> AbstractContextManager[None]:
    """Inside the block bars are shown on a terminal, with `verbose` 0 only programs that asked are told."""
    return watched(progress_bar if verbose else told_progress)
