#!/usr/bin/env python3
"""Writes envelope-v1-more.json: our vectors beside the format's own, in the same shape.

A writer of its own, from the format's description and RFC 9180, on Python's `cryptography`; it
shares no code with the crate. All keys and nonces follow from names, so the file never changes
unless this one does: python3 more.py > envelope-v1-more.json
"""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"\xf5pgs"
ZERO = bytes(12)


def from_name(*name, length=32):
    return hashlib.sha256(" ".join(("pgseal more vectors",) + name).encode()).digest()[:length]


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


# RFC 9180

KEM, HPKE = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"


def extract(suite, salt, label, ikm):
    return hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, "sha256")


def expand(suite, prk, label, info, length):
    info = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(prk, info + b"\x01", "sha256")[:length]


class Context:
    def __init__(self, ephemeral, recipient, info, mode=0):
        self.enc = public(ephemeral)
        point = X25519PublicKey.from_public_bytes(recipient)
        dh = X25519PrivateKey.from_private_bytes(ephemeral).exchange(point)
        prk = extract(KEM, b"", b"eae_prk", dh)
        shared = expand(KEM, prk, b"shared_secret", self.enc + recipient, 32)
        psk_id_hash = extract(HPKE, b"", b"psk_id_hash", b"")
        info_hash = extract(HPKE, b"", b"info_hash", info)
        self.context = bytes([mode]) + psk_id_hash + info_hash
        self.secret = extract(HPKE, shared, b"secret", b"")
        self.key = expand(HPKE, self.secret, b"key", self.context, 32)
        self.base_nonce = expand(HPKE, self.secret, b"base_nonce", self.context, 12)

    def export(self, label):
        exporter = expand(HPKE, self.secret, b"exp", self.context, 32)
        return expand(HPKE, exporter, b"sec", label, 32)


# The format

class Key:
    def __init__(self, name, kind, owner):
        self.name, self.kind, self.owner = name, kind, owner
        self.private = from_name("key", name)
        self.public = public(self.private)
        digest = hashlib.sha256(b"pgseal key id v1\x01" + self.public)
        self.key_id = digest.digest()[:8]

    def json(self):
        return {"name": self.name, "kind": self.kind, "owner": self.owner,
                "private_key": self.private.hex(), "public_key": self.public.hex(),
                "key_id": self.key_id.hex()}


def header(key, length, suite=1, flags=0):
    return (MAGIC + bytes([1, suite]) + flags.to_bytes(2, "big") + key.key_id
            + length.to_bytes(4, "big"))


def info_of(key, kind=None, owner=None, label=b"pgseal envelope v1\x00", bound=None):
    owner = (key.owner if owner is None else owner).encode()
    bound = header(key, 0)[:16] if bound is None else bound
    return label + bound + (kind or key.kind).encode() + len(owner).to_bytes(2, "big") + owner


def seal(key, plaintext, name, batch=None, info=None, mode=0, sequence=0,
         label=b"pgseal batch v1", aad=b"", stated_enc=None):
    """One envelope. `name` makes the ephemeral key, `batch` the nonce of a value of a batch."""
    context = Context(from_name("ephemeral", name), key.public, info or info_of(key), mode)
    if batch is None:
        stated, secret = ZERO, context.key
        nonce = bytes(a ^ b for a, b in zip(context.base_nonce, sequence.to_bytes(12, "big")))
    else:
        stated = nonce = from_name("nonce", batch, length=12)
        secret = context.export(label)
    sealed = AESGCM(secret).encrypt(nonce, plaintext, aad)
    return (header(key, 12 + 32 + len(sealed)) + stated + (stated_enc or context.enc) + sealed)


def forged(key, body, suite=2, length=None, flags=0):
    return header(key, len(body) if length is None else length, suite, flags) + body


def armor(envelope):
    return "pgs1." + base64.urlsafe_b64encode(envelope).decode().rstrip("=")


APP = Key("client_app", "c", "app")
UPPER = Key("client_upper", "c", "APP")
OTHER = Key("client_other", "c", "other")
ZONE = Key("zone", "z", "DDDDDDDDmoreVectorsZones")
ZONE_UPPER = Key("zone_upper", "z", "TENANT-A1")
ZONE_LOWER = Key("zone_lower", "z", "tenant-a1")
STRANGER = Key("stranger", "c", "app")
KEYS = [APP, UPPER, OTHER, ZONE, ZONE_UPPER, ZONE_LOWER]

open_vectors, refuse_vectors, find_vectors, writer_vectors = [], [], [], []


def opens(name, key, plaintext, ephemeral=None, batch=False):
    ephemeral = ephemeral or name
    envelope = seal(key, plaintext, ephemeral, batch=name if batch else None)
    open_vectors.append({
        "name": name, "mode": "batch" if batch else "single", "key": key.name, "kind": key.kind,
        "owner": key.owner, "info": info_of(key).hex(),
        "ephemeral_private_key": from_name("ephemeral", ephemeral).hex(),
        "enc": envelope[32:64].hex(), "nonce": envelope[20:32].hex(),
        "plaintext": plaintext.hex(), "envelope": envelope.hex(), "armored": armor(envelope)})


def refuses(name, outcome, reason, envelope):
    kind = "armored" if isinstance(envelope, str) else "envelope"
    value = envelope if isinstance(envelope, str) else envelope.hex()
    refuse_vectors.append({"name": name, "outcome": outcome, "reason": reason, kind: value})


def finds(name, note, field, after, envelopes, tags=()):
    text = isinstance(field, str)
    find_vectors.append({
        "name": name, "form": "text" if text else "bytes", "tags_in_earlier_fields": list(tags),
        "field": field if text else field.hex(), "envelopes": envelopes,
        "field_after": after if text else after.hex(), "note": note})


def writer_refuses(name, kind, owner, public_key, reason):
    writer_vectors.append({"name": name, "kind": kind, "owner": owner,
                           "public_key": public_key.hex(), "reason": reason})


def tag(key):
    return b"[" + key.owner.encode() + b"]"


# open

opens("client_upper_case_id", UPPER, b"sealed to APP")
opens("zone_upper_case_id", ZONE_UPPER, b"sealed to TENANT-A1")
opens("zone_lower_case_id", ZONE_LOWER, b"sealed to tenant-a1")
opens("one_encapsulation_single", APP, b"the single-shot value", "one encapsulation")
opens("one_encapsulation_first_of_batch", APP, b"a batch's first", "one encapsulation", True)
opens("one_encapsulation_second_of_batch", APP, b"a batch's second", "one encapsulation", True)
opens("plaintext_is_armor", APP, armor(seal(APP, b"inner", "inner")).encode())
opens("plaintext_is_nul", APP, b"\x00")
opens("plaintext_of_one_block", APP, bytes(range(16)))
opens("plaintext_of_one_block_and_one", APP, bytes(range(17)), batch=True)

# refuse

good = seal(APP, b"good", "good")
REFUSED, NO_ENVELOPE = "refused", "not an envelope"
refuses("suite_2_length_16", REFUSED, "the least length of an unknown suite",
        forged(APP, bytes(16)))
refuses("suite_2_length_2_28_plus_1", NO_ENVELOPE, "over the cap of every suite",
        forged(APP, bytes(80), length=2**28 + 1))
refuses("suite_2_last_byte_missing", NO_ENVELOPE, "length beyond the field",
        forged(APP, bytes(40))[:-1])
refuses("flags_all_set", REFUSED, "flags not zero", good[:6] + b"\xff\xff" + good[8:])
refuses("flags_in_unknown_suite", REFUSED, "unknown suite first",
        forged(APP, bytes(60), flags=1))
refuses("key_of_a_stranger", REFUSED, "the key id is in no keystore",
        seal(STRANGER, b"whose?", "stranger"))
refuses("client_id_of_the_other_case", REFUSED, "APP's key, but sealed to app",
        seal(UPPER, b"case", "case c", info=info_of(UPPER, owner="app")))
refuses("zone_id_of_the_other_case", REFUSED, "TENANT-A1's key, but sealed to tenant-a1",
        seal(ZONE_UPPER, b"case", "case z", info=info_of(ZONE_UPPER, owner="tenant-a1")))
refuses("owner_with_a_nul_more", REFUSED, "the id ends where it ends",
        seal(APP, b"nul", "nul", info=info_of(APP, owner="app\0")))
refuses("info_kind_in_upper_case", REFUSED, "kind is c or z",
        seal(APP, b"kind", "kind", info=info_of(APP, kind="C")))
refuses("info_label_of_version_2", REFUSED, "another format's label",
        seal(APP, b"label", "label", info=info_of(APP, label=b"pgseal envelope v2\0")))
refuses("info_with_the_length_too", REFUSED, "info takes bytes 0 to 15 only",
        seal(APP, b"bound", "bound", info=info_of(APP, bound=header(APP, 65))))
refuses("batch_label_of_version_2", REFUSED, "another export",
        seal(APP, b"label", "batch label", "batch label", label=b"pgseal batch v2"))
refuses("batch_aad_not_empty", REFUSED, "aad must be empty",
        seal(APP, b"aad", "batch aad", "batch aad", aad=b"aad"))
refuses("batch_enc_of_another_batch", REFUSED, "both batches are to this key",
        seal(APP, b"enc", "batch one", "batch one",
             stated_enc=public(from_name("ephemeral", "batch two"))))
refuses("hpke_sequence_number_1", REFUSED, "a single-shot value is message 0",
        seal(APP, b"sequence", "sequence", sequence=1))
refuses("hpke_mode_psk", REFUSED, "the mode is Base", seal(APP, b"psk", "psk", mode=1))
refuses("armor_of_suite_2", REFUSED, "unknown suite", armor(forged(APP, bytes(40))))
refuses("armor_of_flags", REFUSED, "flags not zero",
        armor(good[:6] + b"\x00\x01" + good[8:]))
refuses("armor_length_beyond_text", NO_ENVELOPE, "the text ends before the envelope",
        armor(forged(APP, bytes(30), length=60)))
refuses("armor_of_version_2", NO_ENVELOPE, "version is not 01",
        armor(good[:4] + b"\x02" + good[5:]))
refuses("armor_nul_inside", NO_ENVELOPE, "not base64url",
        armor(good)[:60] + "\0" + armor(good)[61:])
refuses("armor_letter_beyond_ascii", NO_ENVELOPE, "not base64url",
        armor(good)[:60] + "é" + armor(good)[61:])
refuses("armor_without_dot", NO_ENVELOPE, "prefix is pgs1.", armor(good).replace(".", ""))
refuses("armor_of_something_else", NO_ENVELOPE, "no magic", armor(bytes(80)))

# find

app = [seal(APP, b"<%d>" % n, "app %d" % n) for n in range(3)]
one = [seal(APP, b"<1%d>" % n, "batch one", "batch one %d" % n) for n in range(2)]
two = [seal(APP, b"<2%d>" % n, "batch two", "batch two %d" % n) for n in range(2)]
zone = seal(ZONE, b"zoned", "zoned")
other = seal(OTHER, b"another client's", "other")
O, R = "opened", "refused"

finds("values_of_two_batches_mixed", "each is opened with its own encapsulation's key",
      one[0] + b"," + two[0] + b"," + one[1] + b"," + two[1], b"<10>,<20>,<11>,<21>", [O] * 4)
finds("single_and_batch_mixed", "", app[0] + one[0] + app[1], b"<0><10><1>", [O] * 3)
finds("empty_plaintext_leaves_its_surroundings", "", b"a" + seal(APP, b"", "empty") + b"b", b"ab",
      [O])
finds("empty_plaintext_leaves_an_empty_field", "", seal(APP, b"", "empty"), b"", [O])
finds("value_of_another_client", "", other, other, [R])
finds("magic_byte_twice", "the search moves on by one byte", b"\xf5" + app[0], b"\xf5<0>", [O])
finds("false_start_longer_than_the_field", "its length is beyond the field's end",
      forged(APP, b"", suite=1, length=2000) + app[0],
      forged(APP, b"", suite=1, length=2000) + b"<0>", [O])
finds("false_start_of_another_version", "", MAGIC + b"\x02" + app[0], MAGIC + b"\x02<0>", [O])
finds("truncated_then_whole", "the first one's length reaches into the second",
      app[0][:-1] + app[1], app[0][:-1] + app[1], [R])
finds("whole_then_truncated", "", app[0] + app[1][:-1], b"<0>" + app[1][:-1], [O])
finds("unknown_suite_between", "", app[0] + forged(APP, bytes(20)) + app[1],
      b"<0>" + forged(APP, bytes(20)) + b"<1>", [O, R, O])
finds("opened_value_completes_an_envelope_with_what_follows", "what comes out is not searched",
      seal(APP, app[1][:10], "half") + app[1][10:], app[1], [O])
finds("opened_value_completes_a_tag_for_what_follows", "tags are in what the database sent",
      seal(APP, tag(ZONE)[:5], "half tag") + tag(ZONE)[5:] + zone,
      tag(ZONE)[:5] + tag(ZONE)[5:] + zone, [O, R])
finds("tag_at_field_start", "", tag(ZONE) + zone, b"zoned", [O])
finds("tag_in_two_brackets", "it must be the id in one pair", b"[" + tag(ZONE) + b"]" + zone,
      b"[" + tag(ZONE) + b"]" + zone, [R])
finds("tag_after_an_open_bracket", "only the tag goes", b"[x" + tag(ZONE) + zone, b"[xzoned", [O])
finds("two_tags_the_nearer_is_its_own", "only the tag goes", tag(ZONE_LOWER) + tag(ZONE) + zone,
      tag(ZONE_LOWER) + b"zoned", [O])
finds("two_tags_the_farther_is_its_own", "", tag(ZONE) + tag(ZONE_LOWER) + zone,
      tag(ZONE) + tag(ZONE_LOWER) + zone, [R])
finds("tag_twice", "the nearer goes", tag(ZONE) * 2 + zone, tag(ZONE) + b"zoned", [O])
finds("tag_of_another_zone_in_field_its_own_in_a_column", "another zone's tag stays",
      tag(ZONE_LOWER) + zone, tag(ZONE_LOWER) + b"zoned", [O], [ZONE.owner])
finds("tag_of_the_other_case", "ids are compared byte for byte",
      tag(ZONE_LOWER) + seal(ZONE_UPPER, b"upper", "upper"),
      tag(ZONE_LOWER) + seal(ZONE_UPPER, b"upper", "upper"), [R])
finds("tag_in_upper_case", "", tag(ZONE_UPPER) + seal(ZONE_UPPER, b"upper", "upper"), b"upper", [O])
finds("tag_before_a_client_sealed_value", "it is no tag there and stays", tag(ZONE) + app[0],
      tag(ZONE) + b"<0>", [O])
finds("tag_serves_only_the_envelope_after_it", "in the field a tag is one envelope's",
      tag(ZONE) + zone + zone, b"zoned" + zone, [O, R])
finds("tag_at_the_end_of_the_envelope_before", "nothing is looked for inside an envelope",
      forged(APP, bytes(20) + tag(ZONE)) + zone, forged(APP, bytes(20) + tag(ZONE)) + zone, [R, R])
finds("tag_reaching_into_the_envelope_before", "nothing is looked for inside an envelope",
      forged(APP, bytes(20) + tag(ZONE)[:9]) + tag(ZONE)[9:] + zone,
      forged(APP, bytes(20) + tag(ZONE)[:9]) + tag(ZONE)[9:] + zone, [R, R])
finds("tag_kept_while_another_opens", "the refused one keeps its tag",
      tag(ZONE) + zone[:-1] + b"\0" + tag(ZONE) + zone,
      tag(ZONE) + zone[:-1] + b"\0" + b"zoned", [R, O])
finds("armor_in_bytes_is_not_looked_for", "", armor(app[0]).encode(), armor(app[0]).encode(), [])
finds("armor_in_json", "", '{"a":"%s","b":"pgs1."}' % armor(app[0]), '{"a":"<0>","b":"pgs1."}', [O])
finds("armor_after_a_false_start", "the search moves on by one", "pgs1." + armor(app[0]),
      "pgs1.<0>", [O])
finds("armor_after_a_cut_one", "the dot ends what could be the first",
      armor(app[0])[:-1] + armor(app[1]), armor(app[0])[:-1] + "<1>", [O])
finds("armor_of_a_batch", "", "/".join(map(armor, one)), "<10>/<11>", [O, O])
finds("armor_of_empty_plaintext", "", armor(seal(APP, b"", "empty")), "", [O])
finds("armor_of_suite_2_before_an_own_one", "", armor(forged(APP, bytes(20))) + armor(app[0]),
      armor(forged(APP, bytes(20))) + "<0>", [R, O])
finds("armor_of_nul", "the field must stay text", armor(seal(APP, b"a\0b", "nul text")),
      armor(seal(APP, b"a\0b", "nul text")), [R])
finds("armor_of_no_text_keeps_its_tag", "refused, and so is its tag kept",
      tag(ZONE).decode() + armor(seal(ZONE, b"\xff", "no text")),
      tag(ZONE).decode() + armor(seal(ZONE, b"\xff", "no text")), [R])
finds("armor_of_half_a_character", "each value must be text of its own",
      armor(seal(APP, "ü".encode()[:1], "half ü")) + armor(seal(APP, "ü".encode()[1:], "half ü")),
      armor(seal(APP, "ü".encode()[:1], "half ü")) + armor(seal(APP, "ü".encode()[1:], "half ü")),
      [R, R])
finds("armor_whose_plaintext_is_armor", "what comes out is not searched",
      armor(seal(APP, armor(app[0]).encode(), "nested armor")), armor(app[0]), [O])
finds("armor_zone_tag_in_earlier_field", "", "=" + armor(zone), "=zoned", [O], [ZONE.owner])

# writer_refuses

writer_refuses("owner_nul", "c", "app\0", APP.public, "not in the alphabet")
writer_refuses("owner_comma", "c", "a,b", APP.public, "not in the alphabet")
writer_refuses("owner_percent", "c", "a%2Fb", APP.public, "ids are never percent-encoded")
writer_refuses("owner_bracket", "c", "[app]", APP.public, "not in the alphabet")
writer_refuses("zone_at", "z", "tenant@1", APP.public, "only a client id may hold @")
writer_refuses("zone_empty", "z", "", APP.public, "8 to 64 characters")
writer_refuses("zone_unicode_letter", "z", "1234567é", APP.public, "ASCII only")
writer_refuses("zone_digits_and_marks_only", "z", "1234-5678:", APP.public, "at least one letter")
P = 2**255 - 19
LOW = [1, P - 1, 39382357235489614581723060781553021112529911719440698176882885853963445705823]
writer_refuses("public_key_empty", "c", "app", b"", "32 bytes")
writer_refuses("public_key_long", "c", "app", APP.public + b"\0", "32 bytes")
writer_refuses("public_key_zero", "c", "app", bytes(32), "all-zero shared secret")
for name, point in zip(("one", "p_minus_1", "order_8_b"), LOW):
    writer_refuses("public_key_" + name, "c", "app", point.to_bytes(32, "little"),
                   "all-zero shared secret")
writer_refuses("public_key_p", "c", "app", P.to_bytes(32, "little"), "not canonical")
writer_refuses("public_key_2_255_minus_1", "c", "app", (2**255 - 1).to_bytes(32, "little"),
               "not canonical")

print(json.dumps({
    "format": "pgseal envelope version 1, vectors beside the format's own; written by more.py",
    "encoding": "hex unless a name says armored or form is text",
    "keys": [key.json() for key in KEYS],
    "open": open_vectors,
    "refuse": refuse_vectors,
    "find": find_vectors,
    "writer_refuses": writer_vectors,
}, indent=1, ensure_ascii=True))
