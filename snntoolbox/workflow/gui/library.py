"""The package NiceGUI and what it brings, imported when a page is wanted."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from snntoolbox.errors import SNNToolboxError


def nicegui() -> Any:
    """The package; SNNToolboxError says how to install it."""
    try:
        return import_module("nicegui")
    except ImportError as error:
        hint = 'pip install "snntoolbox[gui]"'
        raise SNNToolboxError(f"the page needs NiceGUI, which cannot be imported: {error}", hint=hint) from error


def application() -> Any:
    """An application that NiceGUI's pages are part of, and that describes itself to nobody."""
    app = import_module("fastapi").FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    nicegui().ui.run_with(
        app, title="snntoolbox", dark=None, language="en-US", tailwind=False, show_welcome_message=False,
        favicon="🧠", reconnect_timeout=30, gzip_middleware_factory=None,
    )  # fmt: skip
    return app


def response(content: bytes | str, *, code: int = 200, kind: str = "text/plain", policy: str = "") -> Any:
    """An answer; `policy` says what a page in it may do."""
    headers = {"content-security-policy": policy} if policy else {}
    return import_module("starlette.responses").Response(content, code, headers, kind)


def server_of(app: Any) -> Any:
    """What serves an application, on sockets that are given to its ``run``."""
    uvicorn = import_module("uvicorn")
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    return uvicorn.Server(config)
