"""SQLAlchemy 2, by psycopg: models with the column types of the package `pgseal`.

The values are sealed here, to the key that the connector hands out. In the direct run there
is none, and the same types store plaintexts.
"""

from __future__ import annotations

import os

import sqlalchemy
from pgseal import Connector, FreshSealer
from pgseal.envelope import Buffer
from pgseal.sqlalchemy import Sealed, SealedText, Seals
from sqlalchemy import LargeBinary, create_engine, insert, select, type_coerce, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from contract import CHAIN_URL, DIRECT_URL, LARGE_READ, READ, check, version

version(f"SQLAlchemy {sqlalchemy.__version__}")

api = os.environ.get("API")
DIALECT = "postgresql+psycopg://"
TIMEOUT = {"connect_timeout": 20, "options": "-c statement_timeout=20s"}


class InClear:
    """Seals nothing."""

    def seal(self, plaintext: Buffer) -> bytes:
        """Return it as it is."""
        return bytes(plaintext)


sealer: Seals = FreshSealer(Connector(api).client) if api else InClear()


class Base(DeclarativeBase):
    """The tables."""


class Card(Base):
    """A sealed value and text, and a value that never was sealed."""

    __tablename__ = "cards"

    name: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes | None] = mapped_column(Sealed(sealer))
    note: Mapped[str | None] = mapped_column(SealedText(sealer))
    clear: Mapped[bytes | None]


CARDS = [
    {
        "name": name,
        "sealed": value,
        "note": None if value is None else f"«{name}»" if value else "",
        "clear": clear,
    }
    for name, value, clear in READ
]


def cards(session: Session, size: int | None = None) -> list[dict[str, object]]:
    """Read all models anew, perhaps from a cursor of the server."""
    session.expire_all()
    query = select(Card).order_by(Card.name).execution_options(yield_per=size)
    return [
        {key: getattr(card, key) for key in CARDS[0]} for card in session.scalars(query)
    ]


def models(session: Session) -> None:
    """Write and read models, in transactions that are committed and rolled back."""
    session.add_all(Card(**card) for card in CARDS)
    session.commit()
    check(cards(session) == CARDS, "models")
    check(cards(session, size=2) == CARDS, "models, from a server's cursor")
    session.execute(update(Card).values(sealed=b"other", note=None))
    session.flush()
    check(cards(session)[0]["sealed"] == b"other", "updated")
    session.rollback()
    check(cards(session) == CARDS, "rolled back")
    with session.begin_nested() as savepoint:
        session.execute(update(Card).values(sealed=None))
        savepoint.rollback()
    check(cards(session) == CARDS, "rolled back to a savepoint")
    nothing = select(Card.name).where(Card.sealed.is_(None))
    check(session.scalars(nothing).all() == ["null"], "found by NULL")
    session.commit()


def statements(session: Session) -> None:
    """Insert many rows in one statement, and have them returned."""
    many = [
        {"name": f"{number:04}", "sealed": str(number).encode()}
        for number in range(1500)
    ]
    query = insert(Card).returning(Card.sealed, sort_by_parameter_order=True)
    returned = session.scalars(query, many).all()
    check(returned == [card["sealed"] for card in many], "many inserted, returned")
    session.rollback()


def large(session: Session) -> None:
    """Write and read 8 MB."""
    name, value, _ = LARGE_READ
    session.add(Card(name=name, sealed=value))
    session.flush()
    check(
        session.scalars(select(Card.sealed).filter_by(name=name)).one() == value,
        "large",
    )
    session.rollback()


chain = create_engine(
    CHAIN_URL.replace("postgresql://", DIALECT),
    hide_parameters=True,
    connect_args=TIMEOUT,
)
Base.metadata.create_all(chain)
with Session(chain) as the_session:
    for step in (models, statements, large):
        step(the_session)

direct = create_engine(
    DIRECT_URL.replace("postgresql://", DIALECT), connect_args=TIMEOUT
)
with Session(direct) as the_session:
    stored = select(type_coerce(Card.sealed, LargeBinary)).where(
        Card.sealed.is_not(None)
    )
    plain = {value for _, value, _ in READ}
    values = the_session.scalars(stored).all()
    check(len(values) == len(READ) - 1, "all are stored")
    in_clear = [value in plain for value in values]
    check(not any(in_clear) if api else all(in_clear), "the database has it sealed")
