"""The other side of `process`: runs a script's ``answer`` for each request, in an interpreter that need not know us.

A request is a line of JSON; so is its answer, an object whose "error" is empty where "answer" is one.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import runpy
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any


def serve(script: str, log: str) -> None:
    """Answer until the caller goes: then everything in this group of processes ends, also in the middle of a request.

    `log` is the file in which the caller keeps what is printed here, which goes with it.
    """
    answers, asked = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(0))
    os.dup2(2, 1)  # what libraries print
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
    sys.path[0] = str(Path(script).parent)
    script_of: dict[str, Any] = {}
    while True:
        said: dict[str, Any] = {"error": "", "answer": None}
        request = requests.get()
        try:
            # Within the first request, so that what is missing is told as an answer.
            script_of = script_of or runpy.run_path(script)
            said["answer"] = script_of["answer"](json.loads(request))
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            said["error"] = f"{type(error).__name__}: {error}"
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(*sys.argv[1:])
