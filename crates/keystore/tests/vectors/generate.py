"""Writes store-v1.json: the store format, written a second time, on Python's `cryptography`.

Run it as `python3 generate.py > store-v1.json`. Every salt is fixed, so the output never changes.
The keys of `app` and of the zone are those of the envelope's vectors.
"""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
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
HEADER = seal(
    "header", "header", text({"created": CREATED, "previous": None, "replaced": None, "moved": None})
)

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


def log(*entries: tuple[str, dict[str, object]]) -> tuple[list[tuple[str, bytes]], str]:
    """The records of an audit log, and the hash of its last entry."""
    records, last = [], "0" * 64
    for number, (by, what) in enumerate(entries, 1):
        entry = {"number": number, "at": CREATED, "by": by, "what": what, "previous": last}
        records.append((f"audit/{number:020}", text(entry)))
        last = hashlib.sha256(b"pgseal audit v1\0" + text(entry)).hexdigest()
    return records, last


SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(0x20, 0x40)))
SIGNER_PUBLIC = base64.b64encode(SIGNER.public_key().public_bytes_raw()).decode()
STATEMENT = text(
    {
        "owner": f"zone/{ZONE_ID}",
        "version": 2,
        "key_id": key_id(GONE),
        "fingerprint": hashlib.sha256(public(GONE)).hexdigest(),
        "destroyed": CREATED,
        "revision": 1,
        "store": STORE_ID.hex(),
    }
)
SIGNATURE = SIGNER.sign(b"pgseal receipt v1\0" + STATEMENT)
RECEIPT = f"receipt/zone/{ZONE_ID}/0000000002"
RECEIPT_BODY = {
    "statement": STATEMENT.decode(),
    "signature": base64.b64encode(SIGNATURE).decode(),
}
CERTIFICATE = {"identity": "client/app", "recorded": CREATED, "expires": CREATED + 31_536_000}
REVOKED = {"identity": "client/app", "at": CREATED, "expires": None, "reason": "lost"}
OPERATOR = "operator alice@host"
ENTRIES, LAST = log(
    (OPERATOR, {"event": "store-created", "master_key": MASTER_KEY_ID.hex(), "receipts": SIGNER_PUBLIC}),
    (
        OPERATOR,
        {
            "event": "client-added",
            "client": "client/app",
            "key": key_id(APP),
            "create_zones": True,
            "zones_per_day": None,
        },
    ),
    (
        "client app through server one",
        {
            "event": "zone-added",
            "zone": f"zone/{ZONE_ID}",
            "key": key_id(ZONE),
            "clients": ["app", "billing@example"],
        },
    ),
    (
        OPERATOR,
        {
            "event": "certificate-revoked",
            "serial": "0a1b",
            "identity": "client/app",
            "expires": None,
            "reason": "lost",
        },
    ),
    (OPERATOR, {"event": "setting-changed", "name": "zone_mode", "from": None, "to": "mixed"}),
)
SETTING = {"value": "mixed", "by": OPERATOR, "at": CREATED}
SETTINGS: dict[str, object] = {
    "number": 1,
    "last": {"by": OPERATOR, "at": CREATED},
    "set": {"zone_mode": SETTING},
}
RECORDS |= {
    "last_use": seal("used", "used/client/app/0000000001", text({"last": CREATED})),
    "used_up_today": seal("usage", "usage/app", text({"day": CREATED // 86_400, "zones": 3})),
    "zone_to_be_destroyed": seal("pending", "pending/00000000000000604800/tenant-1", b"null"),
    "clock": seal("clock", "clock", text({"system": CREATED, "seconds": 90_000})),
    "receipt_key": seal("receipt key", "receipt-key", SIGNER.private_bytes_raw()),
    "receipt": seal("receipt", RECEIPT, text(RECEIPT_BODY)),
    "certificate": seal("certificate", "certificate/0a1b", text(CERTIFICATE)),
    "revocations": seal("revocations", "revocations", text({"number": 1, "revoked": {"0a1b": REVOKED}})),
    "settings": seal("settings", "settings", text(SETTINGS)),
    "audit_head": seal("audit", "audit", text({"count": len(ENTRIES), "hash": LAST})),
} | {f"audit_{int(name[6:])}": seal(name, name, body) for name, body in ENTRIES}
VALUES = {vector["record"]: vector["sealed"] for vector in RECORDS.values()}
VALUES["header"] = (STORE_ID + MASTER_KEY_ID).hex() + HEADER["sealed"]


def flipped(value: str, place: int) -> str:
    changed = bytearray.fromhex(value)
    changed[place] ^= 1
    return changed.hex()


def authentic(label: str, name: str, body: bytes) -> str:
    return seal(label, name, body)["sealed"]


NEW_MASTER = bytes(range(0x60, 0x80))
NEW_MASTER_ID = hkdf(b"", NEW_MASTER, b"pgseal master key id v1", 8)


def under(master: bytes, label: str, name: str, body: bytes) -> str:
    key = hkdf(salt(label), master, info(name), 32)
    return (salt(label) + AESGCM(key).encrypt(bytes(12), body, b"")).hex()


# A change of master keys that was begun: the header under the new key, each key under the other,
# and everything else still under the old one.
CHANGING = {
    "header": (STORE_ID + NEW_MASTER_ID).hex()
    + under(
        NEW_MASTER,
        "new header",
        "header",
        text({"created": CREATED, "previous": MASTER_KEY_ID.hex(), "replaced": None, "moved": None}),
    ),
    f"master/{MASTER_KEY_ID.hex()}": under(
        MASTER, "old holds new", f"master/{MASTER_KEY_ID.hex()}", NEW_MASTER
    ),
    f"master/{NEW_MASTER_ID.hex()}": under(
        NEW_MASTER, "new holds old", f"master/{NEW_MASTER_ID.hex()}", MASTER
    ),
}


def master_text(key: bytes) -> str:
    return "pgseal-master-1." + base64.urlsafe_b64encode(key).decode().rstrip("=")


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
    "value_of_one_byte": ("client/app", "00", "altered"),
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
    "receipt_of_another_signer": (
        RECEIPT,
        authentic(
            "forged",
            RECEIPT,
            text(
                RECEIPT_BODY
                | {
                    "signature": base64.b64encode(
                        Ed25519PrivateKey.from_private_bytes(bytes(32)).sign(
                            b"pgseal receipt v1\0" + STATEMENT
                        )
                    ).decode()
                }
            ),
        ),
        "altered",
    ),
    "receipt_with_another_statement": (
        RECEIPT,
        authentic(
            "stated",
            RECEIPT,
            text(RECEIPT_BODY | {"statement": STATEMENT.decode().replace(ZONE_ID, "tenant-1")}),
        ),
        "altered",
    ),
    "receipt_signed_without_its_label": (
        RECEIPT,
        authentic(
            "unlabelled",
            RECEIPT,
            text(RECEIPT_BODY | {"signature": base64.b64encode(SIGNER.sign(STATEMENT)).decode()}),
        ),
        "altered",
    ),
    "receipt_key_too_short": ("receipt-key", authentic("short key", "receipt-key", bytes(31)), "form"),
    "no_revocations": ("revocations", None, "missing"),
    "revocation_with_another_spelling": (
        "revocations",
        authentic("spelling", "revocations", text({"number": 1, "revoked": {"0A1B": REVOKED}})),
        "form",
    ),
    "no_settings": ("settings", None, "missing"),
    "settings_of_revocations": ("settings", VALUES["revocations"], "altered"),
    "setting_with_another_field": (
        "settings",
        authentic("set field", "settings", text(SETTINGS | {"set": {"zone_mode": SETTING | {"for": "all"}}})),
        "form",
    ),
    "setting_with_a_name_against_the_rules": (
        "settings",
        authentic("set name", "settings", text(SETTINGS | {"set": {"Zone-Mode": SETTING}})),
        "form",
    ),
    "setting_with_a_control_character": (
        "settings",
        authentic("set value", "settings", text(SETTINGS | {"set": {"a": SETTING | {"value": "\n"}}})),
        "form",
    ),
    "audit_entry_of_another_number": (
        "audit/00000000000000000002",
        authentic("number", "audit/00000000000000000002", ENTRIES[2][1]),
        "altered",
    ),
    "audit_entry_of_an_unknown_event": (
        "audit/00000000000000000002",
        authentic(
            "event",
            "audit/00000000000000000002",
            log(("x", {}), (OPERATOR, {"event": "store-eaten"}))[0][1][1],
        ),
        "form",
    ),
    "key_id_that_names_no_key": (
        APP_INDEX,
        authentic("no key", APP_INDEX, text({"key": APP_PRIVATE})),
        "form",
    ),
}

CHUNK = 64 << 10


def backup(label: str, records: dict[str, bytes]) -> bytes:
    head = b"pgseal-backup-1\n" + STORE_ID + MASTER_KEY_ID + salt(label)
    key = hkdf(salt(label), MASTER, b"pgseal backup v1\0" + STORE_ID, 32)
    plain = b"".join(
        len(name).to_bytes(2) + name.encode() + len(value).to_bytes(4) + value
        for name, value in sorted(records.items())
    )
    chunks = [plain[at : at + CHUNK] for at in range(0, len(plain), CHUNK)]
    for number, chunk in enumerate(chunks):
        nonce = number.to_bytes(11) + (number == len(chunks) - 1).to_bytes(1)
        head += AESGCM(key).encrypt(nonce, chunk, head[:72])
    return head


# What each record's value is: so many bytes, each of them its length modulo 256.
BACKUPS: dict[str, dict[str, int]] = {
    "backup_of_one_chunk": {"header": 3, "client/app": 70},
    "backup_of_one_full_chunk": {"header": CHUNK - 12},
    "backup_of_one_byte_over_a_chunk": {"header": CHUNK - 11},
    "backup_of_many_chunks": {"header": 1 << 20, "client/app": 200_000, "zone/tenant-1": 1},
}


def backup_vector(name: str, lengths: dict[str, int]) -> dict[str, object]:
    file = backup(name, {record: bytes([n % 256]) * n for record, n in lengths.items()})
    return {
        "name": name,
        "salt": salt(name).hex(),
        "lengths": dict(sorted(lengths.items())),
        "size": len(file),
        "sha256": hashlib.sha256(file).hexdigest(),
        "begins": file[:256].hex(),
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
        "master_key": master_text(MASTER),
        "master_key_id": MASTER_KEY_ID.hex(),
        "store_id": STORE_ID.hex(),
        "values": VALUES,
        "audit": {"entries": [body.decode() for _, body in ENTRIES], "hash": LAST},
        "receipt": {"statement": STATEMENT.decode(), "public_key": SIGNER_PUBLIC},
        "changing": {"new_master_key": master_text(NEW_MASTER), "values": CHANGING},
        "seal": [{"name": name} | vector for name, vector in RECORDS.items()],
        "refuse": [
            {"name": name, "record": record, "value": value, "error": error}
            for name, (record, value, error) in REFUSE.items()
        ],
        "backups": [backup_vector(name, lengths) for name, lengths in BACKUPS.items()],
    },
    sys.stdout,
    indent=1,
)
print()
