"""Django, by psycopg: a project of one model with a BinaryField.

Its cursors are the server's where a query is iterated over.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import django
from django.conf import settings
from django.db import connection, connections, models, transaction
from django.db.models import Q

from contract import (
    CHAIN_URL,
    DIRECT_URL,
    LARGE_READ,
    LARGE_WRITTEN,
    READ,
    WRITTEN,
    Row,
    check,
    version,
)


def database(url: str) -> dict[str, object]:
    """Give Django's settings of a database."""
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": parts.hostname,
        "PORT": parts.port,
        "USER": parts.username,
        "NAME": parts.path.removeprefix("/"),
        "OPTIONS": {"connect_timeout": 20, "options": "-c statement_timeout=20s"},
    }


settings.configure(
    DATABASES={"default": database(CHAIN_URL), "direct": database(DIRECT_URL)},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
version(f"Django {django.get_version()}")


class Card(models.Model):
    """A sealed value, and one that never was."""

    name = models.TextField(primary_key=True)
    sealed = models.BinaryField(null=True)
    clear = models.BinaryField(null=True)

    class Meta:
        """Where it belongs."""

        app_label = "cards"
        ordering = ("name",)


def rows(cards: models.QuerySet[Card], size: int | None = None) -> list[Row]:
    """Read models, in pieces of this size."""
    return [
        (
            card.name,
            None if card.sealed is None else bytes(card.sealed),
            None if card.clear is None else bytes(card.clear),
        )
        for card in (cards.iterator(chunk_size=size) if size else cards.all())
    ]


def written() -> list[Card]:
    """Give models as they are written."""
    return [
        Card(name=name, sealed=sealed, clear=clear) for name, sealed, clear in WRITTEN
    ]


def writes() -> None:
    """Save one by one, and in bulk."""
    with transaction.atomic():
        for card in written():
            card.save(force_insert=True)
    check(rows(Card.objects) == READ, "saved")
    Card.objects.all().delete()
    Card.objects.bulk_create(written(), batch_size=2)
    check(rows(Card.objects) == READ, "created in bulk")
    for card in written():
        Card.objects.update_or_create(name=card.name, defaults={"sealed": card.sealed})
    check(rows(Card.objects) == READ, "updated")


def reads() -> None:
    """Iterate by a cursor of the server, and take values and single models."""
    for size in (1, 2, 100):
        check(rows(Card.objects, size) == READ, f"iterated by {size}")
    values = Card.objects.values_list("sealed", flat=True)
    found = [None if value is None else bytes(value) for value in values]
    check(found == [value for _, value, _ in READ], "a list of values")
    card = Card.objects.get(name="card")
    card.refresh_from_db(fields=["sealed"])
    check(bytes(card.sealed) == READ[1][1], "one refreshed")
    check(
        [card.name for card in Card.objects.filter(sealed=None)] == ["null"],
        "found by NULL",
    )
    either = Card.objects.filter(Q(name="card") | Q(name="empty")).union(
        Card.objects.filter(name="bytes")
    )
    check(rows(either.order_by("name")) == READ[:3], "a union")


def transactions() -> None:
    """Roll back a block, and to a savepoint."""
    with transaction.atomic():
        Card.objects.update(sealed=None)
        transaction.set_rollback(True)
    check(rows(Card.objects) == READ, "rolled back")
    with transaction.atomic():
        try:
            with transaction.atomic():
                Card.objects.all().delete()
                raise LookupError
        except LookupError:
            check(rows(Card.objects) == READ, "rolled back to a savepoint")


def large() -> None:
    """Write and read 8 MB."""
    name, sealed, clear = LARGE_WRITTEN
    Card.objects.create(name=name, sealed=sealed, clear=clear)
    check(rows(Card.objects.filter(name=name)) == [LARGE_READ], "large")
    Card.objects.filter(name=name).delete()


with connection.schema_editor() as editor:
    editor.create_model(Card)
for step in (writes, reads, transactions, large):
    step()
check(rows(Card.objects.using("direct")) == WRITTEN, "the database has it sealed")
connections.close_all()
