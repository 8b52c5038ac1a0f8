"""When a sealer asks for its key anew, and what it does without an answer."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable
from functools import partial

import pytest

import pgseal.fresh
from api_server import ApiServer, shape_of
from opening import open_batched, open_single
from pgseal import (
    BadAnswer,
    Connector,
    ConnectorRefused,
    ConnectorUnreachable,
    FreshSealer,
    PublicKey,
    Recipient,
)
from vectors import key_named

OLD = key_named("client_app")
ZONE = key_named("zone_acra")
NEW_KEY = PublicKey(bytes.fromhex(key_named("zone_uuid")["public_key"]))
"""The client's key after a rotation: any other."""
NEW = Recipient("client", OLD["owner"], NEW_KEY)


def shape(recipient: Recipient) -> str:
    return json.dumps(
        {
            "kind": recipient.kind.value,
            "id": recipient.owner,
            "public_key": base64.b64encode(recipient.public_key.raw).decode(),
            "key_id": recipient.key_id,
        }
    )


class Clock:
    """Stands still but for `passes`."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def passes(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pgseal.fresh, "_now", clock)
    return clock


def key_of(sealer: FreshSealer) -> str:
    """Give the id of the key that a value is sealed to now: bytes 8 to 15."""
    return sealer.seal(b"x")[8:16].hex()


def test_nothing_is_asked_before_the_first_value(api: ApiServer) -> None:
    FreshSealer(Connector(api.url).client)
    assert api.requests == []


def test_a_value_is_sealed_to_the_key_that_was_fetched(api: ApiServer) -> None:
    api.answers(200, json.dumps(shape_of(OLD)))
    sealer = FreshSealer(Connector(api.url).client)
    private_key = bytes.fromhex(OLD["private_key"])
    sealed = sealer.seal(b"a value")
    assert open_single(sealed, "c", "app", private_key) == b"a value"
    assert sealer.seal_armored(b"a value").startswith("pgs1.")
    with sealer.batch() as batch:
        in_batch = batch.seal(b"another")
    assert open_batched(in_batch, "c", "app", private_key) == b"another"
    assert sealer.recipient.owner == "app"
    assert api.requests == ["GET /v1/client"]


def test_a_rotated_key_is_in_use_after_a_minute(api: ApiServer, clock: Clock) -> None:
    api.answers(200, json.dumps(shape_of(OLD)))
    sealer = FreshSealer(Connector(api.url).client)
    assert key_of(sealer) == OLD["key_id"]
    api.answers(200, shape(NEW))
    clock.passes(59.9)
    assert key_of(sealer) == OLD["key_id"]
    clock.passes(0.1)
    assert key_of(sealer) == NEW.key_id
    assert api.requests == ["GET /v1/client"] * 2
    clock.passes(59.9)
    assert key_of(sealer) == NEW.key_id
    assert len(api.requests) == 2


def test_a_short_lifetime_is_kept_to(api: ApiServer, clock: Clock) -> None:
    api.answers(200, json.dumps(shape_of(OLD)))
    sealer = FreshSealer(Connector(api.url).client, lifetime=0.5)
    for asked in range(1, 5):
        key_of(sealer)
        assert len(api.requests) == asked
        clock.passes(0.5)


def test_a_zone_is_asked_for_by_its_id(api: ApiServer, clock: Clock) -> None:
    api.answers(200, json.dumps(shape_of(ZONE)))
    sealer = FreshSealer(partial(Connector(api.url).zone, ZONE["owner"]))
    assert key_of(sealer) == ZONE["key_id"]
    clock.passes(60)
    assert key_of(sealer) == ZONE["key_id"]
    assert api.requests == [f"GET /v1/zones/{ZONE['owner']}"] * 2


@pytest.mark.parametrize(
    "fails",
    [
        lambda api: api.answers(502, '{"error": "the server does not answer"}'),
        lambda api: api.answers(503, '{"error": "the store does not answer"}'),
        lambda api: api.answers(429, ""),
        lambda api: api.answers(200, "no key"),
        lambda api: api.answers(200, json.dumps(shape_of(ZONE))),
    ],
    ids=["no_server", "no_store", "too_often", "nonsense", "a_zone"],
)
def test_without_an_answer_the_old_key_serves_for_an_hour_and_no_longer(
    api: ApiServer, clock: Clock, fails: Callable[[ApiServer], None]
) -> None:
    api.answers(200, json.dumps(shape_of(OLD)))
    sealer = FreshSealer(Connector(api.url).client)
    key_of(sealer)
    fails(api)
    clock.passes(60)
    for _ in range(3):
        assert key_of(sealer) == OLD["key_id"]
    assert len(api.requests) == 2, "it is not asked for each value"
    clock.passes(5)
    assert key_of(sealer) == OLD["key_id"]
    assert len(api.requests) == 3
    clock.passes(3600 - 65 - 0.1)
    assert key_of(sealer) == OLD["key_id"]
    clock.passes(0.1)
    with pytest.raises((ConnectorRefused, BadAnswer)):
        sealer.seal(b"x")
    api.answers(200, shape(NEW))
    assert key_of(sealer) == NEW.key_id, "and asks at once when there is one again"


def test_a_connector_that_is_gone_is_no_answer(clock: Clock) -> None:
    with ApiServer() as api:
        api.answers(200, json.dumps(shape_of(OLD)))
        sealer = FreshSealer(Connector(api.url).client, lifetime=1, max_stale=10)
        key_of(sealer)
    clock.passes(9)
    assert key_of(sealer) == OLD["key_id"]
    clock.passes(1)
    with pytest.raises(ConnectorUnreachable):
        sealer.seal(b"x")


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_refusal_that_is_meant_ends_the_key_at_once(
    api: ApiServer, clock: Clock, status: int
) -> None:
    api.answers(200, json.dumps(shape_of(ZONE)))
    sealer = FreshSealer(partial(Connector(api.url).zone, ZONE["owner"]))
    key_of(sealer)
    api.answers(status, '{"error": "the zone is gone"}')
    clock.passes(60)
    for asked in (2, 3):
        with pytest.raises(ConnectorRefused):
            sealer.seal(b"lost if it were sealed")
        assert len(api.requests) == asked
    api.answers(200, json.dumps(shape_of(ZONE)))
    assert key_of(sealer) == ZONE["key_id"]


def test_another_owner_than_before_is_a_bad_answer(
    api: ApiServer, clock: Clock
) -> None:
    api.answers(200, json.dumps(shape_of(OLD)))
    sealer = FreshSealer(Connector(api.url).client)
    key_of(sealer)
    api.answers(200, shape(Recipient("client", "somebody", NEW_KEY)))
    clock.passes(60)
    with pytest.raises(BadAnswer, match="client somebody came"):
        sealer.seal(b"x")


def test_while_one_thread_asks_the_others_go_on(clock: Clock) -> None:
    asked, answer = threading.Event(), threading.Event()
    recipients = [
        Recipient("client", "app", PublicKey(bytes.fromhex(OLD["public_key"])))
    ]

    def fetch() -> Recipient:
        if recipients[-1] is NEW:
            asked.set()
            assert answer.wait(30)
        return recipients[-1]

    sealer = FreshSealer(fetch)
    key_of(sealer)
    recipients.append(NEW)
    clock.passes(60)
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(key_of(sealer)))
    thread.start()
    assert asked.wait(30)
    clock.passes(10)
    assert key_of(sealer) == OLD["key_id"]
    answer.set()
    thread.join()
    assert found == [NEW.key_id]
    assert key_of(sealer) == NEW.key_id


def test_threads_that_begin_together_all_get_the_key(api: ApiServer) -> None:
    api.answers(200, json.dumps(shape_of(OLD)))
    sealer = FreshSealer(Connector(api.url).client)
    begin = threading.Barrier(8)
    found: list[str] = []

    def seal() -> None:
        begin.wait()
        found.extend(key_of(sealer) for _ in range(50))

    threads = [threading.Thread(target=seal) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [OLD["key_id"]] * 400


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_process_forked_while_a_thread_asks_still_learns_a_new_key(
    clock: Clock,
) -> None:
    asked, answer = threading.Event(), threading.Event()
    current = [Recipient("client", "app", PublicKey(bytes.fromhex(OLD["public_key"])))]
    parent = os.getpid()

    def fetch() -> Recipient:
        if current[0] is NEW and os.getpid() == parent:
            asked.set()
            assert answer.wait(30)
        return current[0]

    sealer = FreshSealer(fetch)
    key_of(sealer)
    current[0] = NEW
    clock.passes(60)
    thread = threading.Thread(target=lambda: key_of(sealer))
    thread.start()
    assert asked.wait(30)
    clock.passes(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if key_of(sealer) == NEW.key_id else 1)
    answer.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(("lifetime", "max_stale"), [(-1, 10), (11, 10)])
def test_times_that_make_no_sense_are_a_value_error(
    lifetime: float, max_stale: float
) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        FreshSealer(lambda: NEW, lifetime=lifetime, max_stale=max_stale)
