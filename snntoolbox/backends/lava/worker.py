"""Runs networks in Lava for another process, in an interpreter that needs Lava alone: one request a line.

A request is the name of a folder with ``weights.npz`` and ``inputs.npz``; with the answer comes ``spikes.npz``.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path

import numpy as np


def serve(log: str) -> None:
    """Answer until the caller goes: then everything in this group of processes ends, also in the middle of a run.

    `log` is the file in which the caller keeps what is printed here, which goes with it.
    """
    answers, asked = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(0))
    os.dup2(2, 1)  # what Lava prints
    # Processes that are forked while a thread reads sys.stdin wait for it when they close theirs.
    sys.stdin = open(os.devnull)  # noqa: SIM115
    requests: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        for line in asked:
            requests.put(line)
        with contextlib.suppress(OSError):
            os.unlink(log)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        folder = Path(json.loads(requests.get()))
        answer = {"error": ""}
        try:
            answer_in(folder)
        except Exception as error:
            traceback.print_exc()
            answer["error"] = f"{type(error).__name__}: {error}"
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def answer_in(folder: Path) -> None:
    """Run what is in a folder."""
    from lava_network import Network  # type: ignore[import-not-found]

    with np.load(folder / "inputs.npz") as file:
        given = dict(file)
    bias, trains = (
        {key[len(kind) :]: value for key, value in given.items() if key.startswith(kind)}
        for kind in ("bias of ", "train of ")
    )
    spikes = Network(folder / "weights.npz").run(bias, trains, int(given["steps"]))
    np.savez(folder / "spikes.npz", **spikes)


if __name__ == "__main__":
    serve(sys.argv[1])
