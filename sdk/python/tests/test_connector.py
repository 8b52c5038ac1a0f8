"""The connector's API seen from outside: keys, and every way of not getting one."""

from __future__ import annotations

import json
import pickle
import socket
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from api_server import ApiServer, shape_of
from pgseal import (
    BadAnswer,
    Connector,
    ConnectorError,
    ConnectorRefused,
    ConnectorUnreachable,
    InvalidRecipient,
    Kind,
)
from vectors import key_named

CLIENT = shape_of(key_named("client_app"))
ZONE = shape_of(key_named("zone_acra"))
OTHER_ZONE = shape_of(key_named("zone_uuid"))


def test_the_client_is_asked_for_and_checked(api: ApiServer) -> None:
    api.answers(200, json.dumps(CLIENT))
    recipient = Connector(api.url).client()
    assert (recipient.kind, recipient.owner) == (Kind.CLIENT, "app")
    assert api.requests == ["GET /v1/client"]


def test_a_new_zone_is_asked_for_and_checked(api: ApiServer) -> None:
    api.answers(201, json.dumps(ZONE))
    recipient = Connector(api.url + "/").new_zone()
    assert (recipient.kind, recipient.owner) == (Kind.ZONE, ZONE["id"])
    assert api.requests == ["POST /v1/zones"]


def test_a_zone_is_asked_for_by_its_id(api: ApiServer) -> None:
    api.answers(200, json.dumps(ZONE))
    assert Connector(api.url).zone(str(ZONE["id"])).owner == ZONE["id"]
    assert api.requests == [f"GET /v1/zones/{ZONE['id']}"]


def test_an_id_that_is_no_zone_id_is_not_asked_for(api: ApiServer) -> None:
    with pytest.raises(InvalidRecipient):
        Connector(api.url).zone("../client")
    assert api.requests == []


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, '{"error": "no zone of this id"}', "no zone of this id"),
        (403, '{"error": "two\\nlines\\u001b[31m"}', "two lines [31m"),
        (500, "<html>oops</html>", "Internal Server Error"),
        (502, "", "Bad Gateway"),
        (400, '{"error": 7}', "Bad Request"),
        (400, '["error"]', "Bad Request"),
        (400, "7", "Bad Request"),
        (599, b"\xff", "no reason given"),
        (400, "[" * 60_000, "Bad Request"),
        (302, '{"error": "elsewhere"}', "elsewhere"),
    ],
)
def test_an_error_status_is_a_refusal_with_its_reason(
    api: ApiServer, status: int, body: str | bytes, reason: str
) -> None:
    api.answers(status, body)
    with pytest.raises(ConnectorRefused) as refused:
        Connector(api.url).client()
    assert refused.value.status == status
    assert refused.value.reason == reason
    assert "\n" not in str(refused.value)
    assert len(api.requests) == 1


def test_a_refusal_survives_the_way_between_processes(api: ApiServer) -> None:
    api.answers(404, '{"error": "no zone of this id"}')
    with pytest.raises(ConnectorRefused) as refused:
        Connector(api.url).client()
    copy = pickle.loads(pickle.dumps(refused.value))
    assert (str(copy), copy.status) == (str(refused.value), 404)


def test_a_long_reason_is_cut(api: ApiServer) -> None:
    api.answers(400, json.dumps({"error": "x" * 5000}))
    with pytest.raises(ConnectorRefused) as refused:
        Connector(api.url).client()
    assert refused.value.reason == "x" * 300


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[]",
        "{}",
        b"\xff\xfe",
        json.dumps(ZONE),
        json.dumps({**CLIENT, "key_id": "0" * 16}),
        json.dumps({**CLIENT, "public_key": "A" * 43 + "="}),
    ],
    ids=[
        "nothing",
        "text",
        "list",
        "no_fields",
        "not_utf8",
        "a_zone",
        "another_key_id",
        "low_order",
    ],
)
def test_an_answer_that_is_no_client_is_a_bad_answer(
    api: ApiServer, body: str | bytes
) -> None:
    api.answers(200, body)
    with pytest.raises(BadAnswer):
        Connector(api.url).client()


def test_of_an_endless_answer_no_more_is_read_than_a_recipient_may_have(
    api: ApiServer,
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"
    api.answer = head + b" " * 70_000
    with pytest.raises(BadAnswer, match="more than 65536 bytes"):
        Connector(api.url).client()


def test_a_client_in_place_of_a_new_zone_is_a_bad_answer(api: ApiServer) -> None:
    api.answers(201, json.dumps(CLIENT))
    with pytest.raises(BadAnswer, match="with a client"):
        Connector(api.url).new_zone()


def test_another_zone_than_was_asked_for_is_a_bad_answer(api: ApiServer) -> None:
    api.answers(200, json.dumps(OTHER_ZONE))
    with pytest.raises(BadAnswer, match="answered with zone"):
        Connector(api.url).zone(str(ZONE["id"]))


@pytest.mark.parametrize(
    "answer",
    [
        b"\x16\x03\x01 this is TLS\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"",
    ],
    ids=[
        "tls",
        "ssh",
        "no_status",
        "cut_short",
        "bad_chunk",
        "many_headers",
        "long_header",
        "negative_length",
        "closed",
    ],
)
def test_what_speaks_no_http_is_an_error_of_the_connector(
    api: ApiServer, answer: bytes
) -> None:
    api.answer = answer
    with pytest.raises(ConnectorError):
        Connector(api.url).client()


def test_nobody_listening_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectorUnreachable, match="no connector answers at http"):
        Connector(f"http://127.0.0.1:{port}").client()


def test_no_answer_in_time_is_unreachable(api: ApiServer) -> None:
    api.holds = True
    begun = time.monotonic()
    with pytest.raises(ConnectorUnreachable, match=r"within 0\.2 s"):
        Connector(api.url, timeout=0.2).client()
    assert time.monotonic() - begun < 5


def test_a_unix_socket_is_asked_as_tcp_is(tmp_path: Path) -> None:
    path = tmp_path / "an api.sock"
    url = f"unix:{quote(str(path))}"
    with pytest.raises(ConnectorUnreachable, match=r"no connector answers at unix:/"):
        Connector(url).client()
    with ApiServer(str(path)) as api:
        api.answers(200, json.dumps(CLIENT))
        assert Connector(url).client().owner == "app"
        assert api.requests == ["GET /v1/client"]
        api.answers(403, '{"error": "this user may not use the connector"}')
        with pytest.raises(ConnectorRefused, match="this user"):
            Connector(url).client()
        api.holds = True
        with pytest.raises(ConnectorUnreachable, match=r"within 0\.2 s"):
            Connector(url, timeout=0.2).client()


def test_no_proxy_is_asked(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    api.answers(200, json.dumps(CLIENT))
    assert Connector(api.url).client().owner == "app"


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:9191",
        "https://127.0.0.1:9191",
        "http://",
        "http://127.0.0.1:9191/v1",
        "http://user@127.0.0.1:9191",
        "http://10.0.0.7:9191",
        "http://connector:9191",
        "http://127.0.0.1.example.com:9191",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:port",
        "file:///etc/passwd",
        "unix:",
        "unix:run/pgseal/api.sock",
        "unix://host/run/pgseal/api.sock",
        "unix:/run/pgseal/api.sock?a=b",
        "http+unix://%2Frun%2Fpgseal%2Fapi.sock",
    ],
)
def test_an_address_that_is_not_plain_http_on_loopback_is_a_value_error(
    url: str,
) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1|loopback|[Pp]ort|address"):
        Connector(url)


@pytest.mark.parametrize("url", ["http://localhost", "http://[::1]:9191/"])
def test_other_names_of_loopback_are_accepted(url: str) -> None:
    assert isinstance(Connector(url), Connector)
