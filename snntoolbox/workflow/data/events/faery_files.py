"""AEDAT 4 of iniVation and .raw of Prophesee (EVT 2 and 3), through the library faery, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from snntoolbox.backends.main_module import no_main_module
from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array
from snntoolbox.workflow.data.events.recording import BROKEN, Recording

_VERSION = re.compile(rb"% (?:evt|format) +(?:EVT)?([0-9.]+)", re.IGNORECASE)
_SIZE = re.compile(rb"geometry|width=", re.IGNORECASE)
_WORDS = {b"2": 4, b"2.0": 4, b"3": 2, b"3.0": 2}
"""Bytes of a word, by what a head says of its version."""


def read_aedat4(path: Path) -> Recording:
    """The first stream of events of an AEDAT 4."""
    return _read(path, "aedat")


def read_raw(path: Path) -> Recording:
    """Prophesee's .raw, whose head says its version; DataError where that is another, or the last word is cut."""
    data = path.read_bytes()
    start = 0
    while data[start : start + 1] == b"%":
        line = data[start : data.find(b"\n", start) + 1 or len(data)]
        start += len(line)
        if line.strip() == b"% end":
            break
    head, version = data[:start], _VERSION.search(data[:start])
    if not start:
        raise DataError(f"{path} is no .raw of Prophesee: it does not begin with its head of text", hint=BROKEN)
    if version is None or version[1] not in _WORDS:
        raise DataError(f"{path} does not say that it is EVT 2 or EVT 3", hint="save it as EVT 3 or .dat")
    if left := (len(data) - start) % _WORDS[version[1]]:
        raise DataError(f"{path} is cut: {left} bytes are left at its end", hint=BROKEN)
    recording = _read(path, "evt")
    return recording if _SIZE.search(head) else replace(recording, chip=None)


def _read(path: Path, kind: str) -> Recording:
    if find_spec("faery") is None:
        told = "reading AEDAT 4 and .raw recordings needs faery"
        raise DataError(told, hint="pip install 'snntoolbox[events]'")
    try:
        t, x, y, on, chip = _process().submit(decoded, path, kind).result()
    except BrokenProcessPool:  # what is damaged may end the process that reads it
        _process.cache_clear()
        raise DataError(f"{path} cannot be read: it is damaged, and ended what read it", hint=BROKEN) from None
    except ValueError as error:
        raise DataError(f"{path} cannot be read: {error}", hint=BROKEN) from None
    return Recording.of(t, x, y, on, chip)


@cache
def _process() -> ProcessPoolExecutor:
    """The process in which files are read, kept for the next one."""
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_quietly)
    with no_main_module():
        pool.submit(_quietly).result()
    return pool


def _quietly() -> None:
    """Rust tells of each panic, and Ctrl-C is for the user's own process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def decoded(path: Path, kind: str) -> tuple[Array, Array, Array, Array, tuple[int, int]]:
    """Times, pixels, polarities and the size of the chip in a file; ValueError where it is damaged."""
    faery = import_module("faery")
    try:
        stream = faery.events_stream_from_file(path, file_type=kind)
        events, chip = stream.to_array(), stream.dimensions()
    except BaseException as error:  # a panic of its Rust code is no Exception
        raise ValueError(str(error)) from None
    return events["t"], events["x"], events["y"], events["on"], (int(chip[0]), int(chip[1]))
