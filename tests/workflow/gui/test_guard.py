"""Who has no token, comes from another page, or sends too much, is refused before the page's server sees it."""

import asyncio

import pytest

from snntoolbox.workflow.gui.guard import Guard

TOKEN, COOKIE = "secret", "snntoolbox-8123=secret"
OWN = {"host": "127.0.0.1:8123", "cookie": COOKIE}
SELF = {**OWN, "origin": "http://127.0.0.1:8123"}
OTHER = {**OWN, "origin": "http://attacker.example"}


def asked(headers, kind="http", method="GET", path="/", query="", body=(b"",)):
    """What is sent in answer to a request, and what the application behind received; None if it was not asked."""
    sent, taken = [], []

    async def application(scope, receive, send):
        taken.append(b"")
        if scope["type"] == "http":
            while (message := await receive())["type"] == "http.request":
                taken.append(message["body"])
                if not message["more_body"]:
                    break
            headers = [(b"content-type", b"text/html"), (b"Cache-Control", b"public")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"page"})

    parts = [{"type": "http.request", "body": b, "more_body": i < len(body) - 1} for i, b in enumerate(body)]

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    guard = Guard(application, token=TOKEN, port=8123, most_bytes=10)
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "method": method, "path": path, "query_string": query.encode(), "headers": encoded}
    asyncio.run(guard(scope, receive, send))
    return sent, b"".join(taken) if taken else None


REFUSED = {
    "no token": ({"host": "127.0.0.1:8123"}, {}, 403),
    "wrong cookie": ({**OWN, "cookie": "snntoolbox-8123=other"}, {}, 403),
    "cookie of another port": ({**OWN, "cookie": "snntoolbox-9=secret"}, {}, 403),
    "broken cookie": ({**OWN, "cookie": "snntoolbox-8123"}, {}, 403),
    "wrong token": ({"host": "127.0.0.1:8123"}, {"query": "token=other"}, 403),
    "name of another machine": ({**OWN, "host": "attacker.example:8123"}, {}, 403),
    "another port": ({**OWN, "host": "127.0.0.1:80"}, {}, 403),
    "no name": ({"cookie": COOKIE}, {}, 403),
    "form of another page": (OTHER, {"method": "POST"}, 403),
    "form of a page that hides": ({**OWN, "origin": "null"}, {"method": "POST"}, 403),
    "form of nobody": (OWN, {"method": "POST"}, 403),
    "too long": ({**SELF, "content-length": "11"}, {"method": "POST"}, 413),
    "no length": ({**SELF, "content-length": "-1"}, {"method": "POST"}, 413),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses(name):
    headers, about, code = REFUSED[name]
    sent, taken = asked(headers, **about)
    assert (sent[0]["status"], taken) == (code, None)


@pytest.mark.parametrize("headers", [OTHER, OWN, {**SELF, "cookie": ""}], ids=["other page", "no page", "no token"])
def test_it_refuses_sockets(headers):
    sent, taken = asked(headers, kind="websocket")
    assert ([message["type"] for message in sent], taken) == (["websocket.close"], None)


def test_the_token_becomes_a_cookie_that_opens_the_page():
    sent, taken = asked({"host": "localhost:8123"}, query="token=secret")
    headers = dict(sent[0]["headers"])
    assert headers[b"set-cookie"] == b"snntoolbox-8123=secret; HttpOnly; SameSite=Strict; Path=/"
    assert (sent[0]["status"], taken) == (200, None)
    assert asked({"host": "localhost:8123", "cookie": "snntoolbox-8123=secret"})[1] == b""
    assert asked(SELF, kind="websocket")[1] == b""


def test_answers_are_kept_by_nobody_and_load_nothing_from_elsewhere():
    sent, _ = asked(OWN)
    headers = sent[0]["headers"]
    assert (b"cache-control", b"no-store") in headers
    assert not any(value == b"public" for _, value in headers)
    assert b"default-src 'self'" in dict(headers)[b"content-security-policy"]


def test_a_body_without_a_length_ends_where_it_is_too_long():
    assert asked(SELF, method="POST", body=(b"12345", b"67890"))[1] == b"1234567890"
    assert asked(SELF, method="POST", body=(b"12345", b"678901"))[1] == b"12345"


def test_the_application_begins_and_ends_as_it_would():
    assert asked({}, kind="lifespan")[1] == b""
