"""Lets in whoever has the token and asks from this machine's own page, and bounds what they send."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a page may load; the library builds its templates in the browser, which is the `unsafe-eval`."""

_HEADERS = {
    "content-security-policy": _POLICY,
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Of every answer that has not others."""

_ENTRY = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">'
    "<title>snntoolbox</title></head><body></body></html>"
)
"""Goes on to the page from within: a cookie that is for this site alone is not sent where another one has led here."""

_SAFE_METHODS = ("GET", "HEAD")


class Guard:
    """An ASGI application before another one, on `port` of this machine.

    The first request has the `token` in its address and gets it as a cookie, which all others must have. A name of
    another machine (one that resolves to this one, as an attacker's may), or another site's page, is let nowhere. No
    request is longer than `most_bytes`.
    """

    def __init__(self, app: App, *, token: str, port: int, most_bytes: int) -> None:
        self._app, self._token, self._most_bytes = app, token, most_bytes
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self._cookie = f"snntoolbox-{port}"  # cookies are shared between ports

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        code, reason = self._refusal(scope, headers)
        if code:
            await _answer(scope, send, code, reason)
        elif scope["type"] == "http" and self._is_right(_token_in(scope)):
            cookie = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/"
            await _answer(scope, send, 200, _ENTRY, (("set-cookie", cookie), ("content-type", "text/html")))
        else:
            await self._app(scope, _Bounded(receive, self._most_bytes), _protected(send))

    def _refusal(self, scope: MutableMapping[str, Any], headers: Mapping[str, str]) -> tuple[int, str]:
        """The code and the words with which a request is refused; 0 where it is not."""
        if headers.get("host", "") not in self._hosts:
            return 403, "this page is for 127.0.0.1 alone"
        own = {f"http://{host}" for host in self._hosts}
        origin = headers.get("origin")
        if scope["type"] == "websocket" and origin not in own:
            return 403, "another page asks"
        if scope["type"] == "http" and scope["method"] not in _SAFE_METHODS and (origin or "null") not in own:
            return 403, "another page asks"
        token = _token_in(scope) if scope["type"] == "http" else ""
        if not self._is_right(token) and not self._is_right(_cookie_in(headers, self._cookie)):
            return 403, "open the address that snntoolbox gui has printed: it holds the token"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._most_bytes:
            return 413, f"no more than {self._most_bytes} bytes are taken"
        return 0, ""

    def _is_right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())


class _Bounded:
    """What is received, up to so many bytes: then the sender is taken to be gone."""

    def __init__(self, receive: Receive, most_bytes: int) -> None:
        self._receive, self._left = receive, most_bytes

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        self._left -= len(message.get("body", b""))
        return message if self._left >= 0 else {"type": "http.disconnect"}


def _token_in(scope: Mapping[str, Any]) -> str:
    query: str = scope.get("query_string", b"").decode("latin-1")
    return parse_qs(query).get("token", [""])[0]


def _cookie_in(headers: Mapping[str, str], name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if found is None else str(found.value)


def _protected(send: Send) -> Send:
    """Sends answers with `_HEADERS`, of those that have others not these."""

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.decode("latin-1").lower() for name, _ in message.get("headers", [])} - {"cache-control"}
            kept = [(n, v) for n, v in message.get("headers", []) if n.lower() != b"cache-control"]
            own = [(n.encode(), v.encode()) for n, v in _HEADERS.items() if n not in there]
            message = {**message, "headers": [*kept, *own]}
        await send(message)

    return with_headers


async def _answer(
    scope: Mapping[str, Any], send: Send, code: int, text: str, headers: tuple[tuple[str, str], ...] = ()
) -> None:
    """Answer with a text; a connection of a websocket is refused."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    all_headers = {"content-type": "text/plain; charset=utf-8", **_HEADERS, **dict(headers)}
    start = [(name.encode(), value.encode()) for name, value in all_headers.items()]
    await send({"type": "http.response.start", "status": code, "headers": start})
    await send({"type": "http.response.body", "body": text.encode()})
