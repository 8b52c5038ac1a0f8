"""Fixtures: recipients of the vectors, and a stand-in for the connector's API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api_server import ApiServer
from pgseal import Recipient
from vectors import key_named, recipient_of


@pytest.fixture
def recipient() -> Recipient:
    return recipient_of(key_named("client_app"))


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server
