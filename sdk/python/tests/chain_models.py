"""Writes and reads through a real chain with SQLAlchemy; tests/e2e runs it.

It prints a line for each step. Arguments: the connector's database URL, the database's
own, the local API's address, and a zone's id.
"""

from __future__ import annotations

import sys
import time
from contextvars import ContextVar
from functools import partial
from typing import Optional

from sqlalchemy import LargeBinary, Text, create_engine, select, type_coerce
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pgseal import Connector, FreshSealer, StillSealed
from pgseal.sqlalchemy import ArmoredText, Sealed, SealedText, Seals

LIFETIME = 0.5
"""Seconds until the key is asked for again, in place of a minute."""

by_chain, direct, api, zone_id = sys.argv[1:]
connector = Connector(api)
client = FreshSealer(connector.client, lifetime=LIFETIME)
tenant: ContextVar[Seals] = ContextVar("tenant")


class Base(DeclarativeBase):
    """The tables."""


class Card(Base):
    """Sealed to the client, and to a tenant's zone behind its tag."""

    __tablename__ = "cards"

    id: Mapped[int] = mapped_column(primary_key=True)
    # SQLAlchemy looks at these at run time: Python 3.9 cannot read `X | None`.
    number: Mapped[Optional[str]] = mapped_column(SealedText(client))  # noqa: UP045
    scan: Mapped[Optional[bytes]] = mapped_column(Sealed(client))  # noqa: UP045
    holder: Mapped[Optional[str]] = mapped_column(ArmoredText(client))  # noqa: UP045
    zone: Mapped[Optional[str]]  # noqa: UP045
    note: Mapped[Optional[str]] = mapped_column(SealedText(tenant.get))  # noqa: UP045


def say(line: str) -> None:
    """Print, at once."""
    print(line, flush=True)


engine = create_engine(by_chain, hide_parameters=True)
Base.metadata.create_all(engine)
tenant.set(FreshSealer(partial(connector.zone, zone_id), lifetime=LIFETIME))

with Session(engine) as session:
    card = Card(number="4111", scan=b"\x00\xff", zone=zone_id, note="of the tenant")
    card.holder = "Jos\xe9"
    session.add(card)
    session.commit()
    # Read anew.
    assert (card.number, card.scan, card.holder) == ("4111", b"\x00\xff", "Jos\xe9")
    assert (card.zone, card.note) == (zone_id, "of the tenant")
    many = [Card(number=f"number {n}") for n in range(100)]
    session.add_all(many)
    session.commit()
    assert [card.number for card in many] == [f"number {n}" for n in range(100)]
    nothing = select(Card.id).where(Card.scan.is_(None))
    assert len(session.scalars(nothing).all()) == 100
    say("read what was written")

    with Session(create_engine(direct, hide_parameters=True)) as stored:
        try:
            stored.scalars(select(Card.number)).all()
        except StillSealed:
            say("the database has it sealed")
        raw = stored.scalars(select(type_coerce(Card.number, LargeBinary))).all()
        assert all(value.startswith(b"\xf5pgs") for value in raw)
        holder = type_coerce(Card.holder, Text)
        (armored,) = stored.scalars(select(holder).where(Card.holder.is_not(None)))
        assert armored.startswith("pgs1.")

    first = client.recipient.key_id
    written = 101
    say(f"writing with {first}")
    while client.recipient.key_id == first:
        session.add(Card(number=f"number {written}"))
        session.commit()
        written += 1
        time.sleep(0.01)
    session.add(Card(number="with the new key"))
    session.commit()
    say(f"writing with {client.recipient.key_id}")
    numbers = session.scalars(select(Card.number).order_by(Card.id)).all()
    assert (len(numbers), numbers[-1]) == (written + 1, "with the new key")
    say("read all of both keys")
