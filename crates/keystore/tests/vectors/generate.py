"""Writes store-v1.json: the store format, written a second time, on Python's `cryptography`.

Run it as `python3 generate.py > store-v1.json`. Every salt is fixed, so the output never changes.
The keys of `app` and of the zone are those of the envelope's vectors.
"""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MASTER = bytes(range(0x40, 0x60))
STORE_ID = bytes(range(0xA0, 0xB0))
CREATED = 1_796_083_200  # 2026-12-01T00:00:00Z
APP = bytes.fromhex("64ffb4ecc30acf0cdf108594027003713b80a96ea04860ea7cdde6d037dfa6ed")
ZONE = bytes.fromhex("a4b5770ce6e8913d7e8d904e981a1aa74c5191c9b72764dac29836f67a4363f2")
GONE = bytes(range(32))
ZONE_ID = "DDDDDDDDjzaErohiNAaYhChb"


def hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def salt(label: str) -> bytes:
    return hashlib.sha256(b"salt of " + label.encode()).digest()


def info(name: str, store_id: bytes = STORE_ID) -> bytes:
    return b"pgseal store v1\0" + store_id + name.encode()


def seal(label: str, name: str, body: bytes, store_id: bytes = STORE_ID) -> dict[str, str]:
    key = hkdf(salt(label), MASTER, info(name, store_id), 32)
    sealed = salt(label) + AESGCM(key).encrypt(bytes(12), body, b"")
    return {
        "record": name,
        "salt": salt(label).hex(),
        "info": info(name, store_id).hex(),
        "key": key.hex(),
        "body": body.hex(),
        "sealed": sealed.hex(),
    }


def text(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def key_id(private: bytes) -> str:
    return hashlib.sha256(b"pgseal key id v1\x01" + public(private)).hexdigest()[:16]


def key_body(private: bytes, **other: object) -> bytes:
    body: dict[str, object] = {
        "public_key": base64.b64encode(public(private)).decode(),
        "key_id": key_id(private),
        "state": "active",
        "created": CREATED,
    }
    return text(body | other)


MASTER_KEY_ID = hkdf(b"", MASTER, b"pgseal master key id v1", 8)
CLIENT_BODY: dict[str, object] = {
    "created": CREATED,
    "create_zones": True,
    "zones_per_day": None,
    "active": 1,
}
ZONE_BODY: dict[str, object] = {
    "created": CREATED,
    "creator": "app",
    "clients": ["app", "billing@example"],
    "active": 1,
    "fate": "kept",
}
APP_KEY = "key/client/app/0000000001"
APP_PRIVATE = "private/client/app/0000000001"
ZONE_KEY = f"key/zone/{ZONE_ID}/0000000001"
ZONE_PRIVATE = f"private/zone/{ZONE_ID}/0000000001"
GONE_KEY = f"key/zone/{ZONE_ID}/0000000002"
HEADER = seal("header", "header", text({"created": CREATED, "previous": None, "replaced": None, "moved": None}))

RECORDS = {
    "header": HEADER,
    "client_that_creates_zones": seal("client", "client/app", text(CLIENT_BODY)),
    "client_that_does_not": seal(
        "other client", "client/billing@example", text(CLIENT_BODY | {"create_zones": False})
    ),
    "zone_with_a_list": seal("zone", f"zone/{ZONE_ID}", text(ZONE_BODY)),
    "zone_for_all_by_an_operator": seal(
        "open zone", "zone/tenant-1", text(ZONE_BODY | {"creator": None, "clients": "*"})
    ),
    "client_key": seal("key", APP_KEY, key_body(APP)),
    "zone_key": seal("zone key", ZONE_KEY, key_body(ZONE)),
    "destroyed_key": seal("gone", GONE_KEY, key_body(GONE, state="destroyed")),
    "client_private": seal("private", APP_PRIVATE, APP),
    "zone_private": seal("zone private", ZONE_PRIVATE, ZONE),
    "client_key_id": seal("id", f"key-id/{key_id(APP)}", text({"key": APP_KEY})),
    "zone_key_id": seal("zone id", f"key-id/{key_id(ZONE)}", text({"key": ZONE_KEY})),
    "destroyed_key_id": seal("gone id", f"key-id/{key_id(GONE)}", text({"key": GONE_KEY})),
}
VALUES = {vector["record"]: vector["sealed"] for vector in RECORDS.values()}
VALUES["header"] = (STORE_ID + MASTER_KEY_ID).hex() + HEADER["sealed"]


def flipped(value: str, place: int) -> str:
    changed = bytearray.fromhex(value)
    changed[place] ^= 1
    return changed.hex()


def authentic(label: str, name: str, body: bytes) -> str:
    return seal(label, name, body)["sealed"]


APP_INDEX = f"key-id/{key_id(APP)}"
# Name of the vector: record, the value in its place (None: there is none), what the error says.
REFUSE: dict[str, tuple[str, str | None, str]] = {
    "no_header": ("header", None, "damaged"),
    "empty_header": ("header", "", "damaged"),
    "header_cut_in_its_clear_part": ("header", VALUES["header"][:46], "damaged"),
    "header_cut_in_its_sealed_part": ("header", VALUES["header"][:-2], "altered"),
    "header_of_another_store_id": ("header", flipped(VALUES["header"], 0), "altered"),
    "header_of_another_master_key": ("header", flipped(VALUES["header"], 16), "wrong master key"),
    "header_with_another_body": ("header", flipped(VALUES["header"], 60), "altered"),
    "salt_flipped": ("client/app", flipped(VALUES["client/app"], 0), "altered"),
    "body_flipped": ("client/app", flipped(VALUES["client/app"], 32), "altered"),
    "tag_flipped": ("client/app", flipped(VALUES["client/app"], -1), "altered"),
    "empty_value": ("client/app", "", "altered"),
    "value_of_salt_and_tag_less_a_byte": ("client/app", VALUES["client/app"][:94], "altered"),
    "trailing_byte": ("client/app", VALUES["client/app"] + "00", "altered"),
    "value_of_another_client": ("client/app", VALUES["client/billing@example"], "altered"),
    "value_of_another_kind": (f"zone/{ZONE_ID}", VALUES["client/app"], "altered"),
    "key_of_another_owner": (APP_KEY, VALUES[ZONE_KEY], "altered"),
    "key_of_another_version": (
        APP_KEY,
        authentic("version", "key/client/app/0000000002", key_body(APP)),
        "altered",
    ),
    "value_of_another_store": (
        "client/app",
        seal("elsewhere", "client/app", text(CLIENT_BODY), bytes(16))["sealed"],
        "altered",
    ),
    "plain_body": ("client/app", text(CLIENT_BODY).hex(), "altered"),
    "private_key_in_clear": (APP_PRIVATE, APP.hex(), "altered"),
    "private_key_of_another": (APP_PRIVATE, authentic("swap", APP_PRIVATE, ZONE), "altered"),
    "no_private_key": (APP_PRIVATE, None, "missing"),
    "no_key": (APP_KEY, None, "missing"),
    "private_key_too_short": (APP_PRIVATE, authentic("short", APP_PRIVATE, APP[:31]), "form"),
    "unknown_field": (
        "client/app",
        authentic("unknown", "client/app", text(CLIENT_BODY | {"admin": True})),
        "form",
    ),
    "absent_field": (
        "client/app",
        authentic("absent", "client/app", text({"created": CREATED, "active": 1})),
        "form",
    ),
    "body_that_is_no_json": ("client/app", authentic("no json", "client/app", b"app"), "form"),
    "body_with_more_after_it": (
        "client/app",
        authentic("more", "client/app", text(CLIENT_BODY) + b"{}"),
        "form",
    ),
    "clients_neither_list_nor_star": (
        f"zone/{ZONE_ID}",
        authentic("all", f"zone/{ZONE_ID}", text(ZONE_BODY | {"clients": "all"})),
        "form",
    ),
    "client_id_against_the_rules": (
        f"zone/{ZONE_ID}",
        authentic("rules", f"zone/{ZONE_ID}", text(ZONE_BODY | {"clients": ["a b"]})),
        "form",
    ),
    "zone_without_a_creator_field": (
        f"zone/{ZONE_ID}",
        authentic(
            "creator",
            f"zone/{ZONE_ID}",
            text({field: value for field, value in ZONE_BODY.items() if field != "creator"}),
        ),
        "form",
    ),
    "time_beyond_the_year_9999": (
        "client/app",
        authentic("late", "client/app", text(CLIENT_BODY | {"created": 253_402_300_800})),
        "form",
    ),
    "unknown_key_state": (APP_KEY, authentic("state", APP_KEY, key_body(APP, state="lost")), "form"),
    "public_key_of_another_id": (
        APP_KEY,
        authentic("other id", APP_KEY, key_body(APP, key_id=key_id(ZONE))),
        "form",
    ),
    "public_key_of_low_order": (
        APP_KEY,
        authentic(
            "low order",
            APP_KEY,
            key_body(APP, public_key=base64.b64encode(bytes(32)).decode()),
        ),
        "form",
    ),
    "key_id_of_another_key": (
        APP_INDEX,
        authentic("index", APP_INDEX, text({"key": ZONE_KEY})),
        "form",
    ),
    "key_id_that_names_no_key": (
        APP_INDEX,
        authentic("no key", APP_INDEX, text({"key": APP_PRIVATE})),
        "form",
    ),
}

json.dump(
    {
        "format": "pgseal store, format 1; bytes in hexadecimal",
        "application_id": 0x70677365,
        "user_version": 1,
        "tables": [
            "CREATE TABLE record (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, "
            "revision INTEGER NOT NULL) STRICT, WITHOUT ROWID",
            "CREATE INDEX record_by_revision ON record (revision)",
            "CREATE TABLE revision (number INTEGER NOT NULL) STRICT",
        ],
        "master_key": "pgseal-master-1." + base64.urlsafe_b64encode(MASTER).decode().rstrip("="),
        "master_key_id": MASTER_KEY_ID.hex(),
        "store_id": STORE_ID.hex(),
        "values": VALUES,
        "seal": [{"name": name} | vector for name, vector in RECORDS.items()],
        "refuse": [
            {"name": name, "record": record, "value": value, "error": error}
            for name, (record, value, error) in REFUSE.items()
        ],
    },
    sys.stdout,
    indent=1,
)
print()
