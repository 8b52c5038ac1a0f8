"""The Export that batches use, against the published vectors of RFC 9180."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from pgseal import hpke
from vectors import VECTORS

PUBLISHED = VECTORS["hpke"]


def test_encapsulation_gives_the_published_key_and_secret() -> None:
    ephemeral = X25519PrivateKey.from_private_bytes(bytes.fromhex(PUBLISHED["skEm"]))
    enc, shared_secret = hpke.encapsulate(bytes.fromhex(PUBLISHED["pkRm"]), ephemeral)
    assert enc.hex() == PUBLISHED["enc"]
    assert shared_secret.hex() == PUBLISHED["shared_secret"]


def test_key_schedule_gives_the_published_exporter_secret() -> None:
    secret = hpke.exporter_secret(
        bytes.fromhex(PUBLISHED["shared_secret"]), bytes.fromhex(PUBLISHED["info"])
    )
    assert secret.hex() == PUBLISHED["exporter_secret"]


@pytest.mark.parametrize(("context", "length", "value"), PUBLISHED["exports"])
def test_export_gives_the_published_value(
    context: str, length: int, value: str
) -> None:
    secret = bytes.fromhex(PUBLISHED["exporter_secret"])
    assert hpke.export(secret, bytes.fromhex(context), length).hex() == value


def test_an_all_zero_shared_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="shared key"):
        hpke.encapsulate(bytes(32), X25519PrivateKey.generate())
