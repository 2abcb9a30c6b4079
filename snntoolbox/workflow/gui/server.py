"""Serves the page on this machine until it is told to end."""

from __future__ import annotations

import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from snntoolbox.errors import SNNToolboxError
from snntoolbox.workflow.gui.desk import Desk
from snntoolbox.workflow.gui.folder import WorkFolder
from snntoolbox.workflow.gui.guard import Guard
from snntoolbox.workflow.gui.library import application, nicegui, response, server_of
from snntoolbox.workflow.gui.page import draw
from snntoolbox.workflow.gui.report_tab import ADDRESS
from snntoolbox.workflow.gui.runner import Runner
from snntoolbox.workflow.gui.session import Session

_POLL_SECONDS = 0.2

_AROUND = 2**16
"""What may stand around a file that is sent."""

_PAGE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
"""A page of a run may run its own script, which it says by a hash, and nothing else: without our origin."""


def serve(folder: Path, *, port: int, most_bytes: int, ready: Callable[[str], None]) -> None:
    """Serve the page for a folder until Ctrl-C; `ready` is told its address. What runs by then is ended."""
    work = WorkFolder(folder)
    with work.held():
        _serve(work, port, most_bytes, ready)


def _serve(work: WorkFolder, port: int, most_bytes: int, ready: Callable[[str], None]) -> None:
    app = application()
    session, token = Session(work), secrets.token_urlsafe(24)
    session.restore()
    desk = Desk(work, session, Runner(work.path), Runner(work.path), most_bytes)
    _add_pages(desk)
    listening = _listening(port)
    port = listening.getsockname()[1]
    guard = Guard(app, token=token, port=port, most_bytes=most_bytes + _AROUND)
    try:
        ready(f"http://127.0.0.1:{port}/?token={token}")
        server = server_of(guard)
        with _ended_by_hangup(server):
            server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        desk.close()
        listening.close()


@contextmanager
def _ended_by_hangup(server: Any) -> Iterator[None]:
    """A terminal that is closed ends the server in order, as SIGTERM does, and then the program."""
    number = getattr(signal, "SIGHUP", None)
    is_main = threading.current_thread() is threading.main_thread()
    if number is None or not is_main or signal.getsignal(number) is signal.SIG_IGN:  # as nohup has it
        yield
        return
    heard = []

    def end(number: int, frame: object) -> None:
        heard.append(number)
        server.should_exit = True

    before = signal.signal(number, end)
    try:
        yield
    finally:
        signal.signal(number, before)
    if heard:
        signal.raise_signal(number)


def _listening(port: int) -> socket.socket:
    """A socket for this machine alone; SNNToolboxError where the port is taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()  # whoever is told the address may ask at once
    except OSError as error:
        listening.close()
        told = f"port {port} cannot be used: {error.strerror}"
        raise SNNToolboxError(told, hint="--port 0 takes a free one") from error
    return listening


def _add_pages(desk: Desk) -> None:
    library = nicegui()

    def report(page: str) -> Any:
        try:
            content = desk.folder.page(page)
        except SNNToolboxError as error:
            return response(str(error), code=404)
        return response(content, kind="text/html", policy=_PAGE_POLICY)

    library.ui.page("/")(partial(draw, desk))
    library.app.get(ADDRESS)(report)
    library.app.on_startup(lambda: library.app.timer(_POLL_SECONDS, desk.poll))
