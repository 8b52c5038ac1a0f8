"""The SQLAlchemy types, on a database that opens nothing."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Optional

import pytest
from sqlalchemy import (
    Column,
    LargeBinary,
    MetaData,
    Table,
    create_engine,
    func,
    insert,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from opening import dearmored, open_single
from pgseal import (
    ConnectorUnreachable,
    FreshSealer,
    Recipient,
    Sealer,
    StillSealed,
)
from pgseal.sqlalchemy import ArmoredText, NotSealed, Sealed, SealedText, Seals
from vectors import key_named, recipient_of

APP = key_named("client_app")
ZONE = key_named("zone_acra")
tenant: ContextVar[Seals] = ContextVar("tenant")
sealer = FreshSealer(lambda: recipient_of(APP))


class Base(DeclarativeBase):
    pass


class Card(Base):
    __tablename__ = "cards"

    id: Mapped[int] = mapped_column(primary_key=True)
    # SQLAlchemy looks at these at run time: Python 3.9 cannot read `X | None`.
    number: Mapped[Optional[bytes]] = mapped_column(Sealed(sealer))  # noqa: UP045
    holder: Mapped[Optional[str]] = mapped_column(SealedText(sealer))  # noqa: UP045
    note: Mapped[Optional[str]] = mapped_column(SealedText(tenant.get))  # noqa: UP045


class Letter(Base):
    __tablename__ = "letters"

    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[Optional[str]] = mapped_column(ArmoredText(sealer))  # noqa: UP045


def opened(envelope: object, key: Any) -> bytes:
    assert isinstance(envelope, bytes)
    kind = key["kind"]
    return open_single(envelope, kind, key["owner"], bytes.fromhex(key["private_key"]))


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def stored(session: Session, column: str, table: str = "cards") -> list[object]:
    return list(session.scalars(text(f"select {column} from {table} order by id")))


def test_values_are_sealed_as_they_are_written(session: Session) -> None:
    tenant.set(Sealer(recipient_of(ZONE)))
    session.add(Card(number=b"4111", holder="Jos\xe9", note="of the zone"))
    session.commit()
    (number,), (holder,), (note,) = (
        stored(session, column) for column in ("number", "holder", "note")
    )
    assert opened(number, APP) == b"4111"
    assert opened(holder, APP) == "Jos\xe9".encode()
    assert opened(note, ZONE) == b"of the zone"


def test_each_row_of_many_is_sealed_for_itself(session: Session) -> None:
    rows = [{"number": b"same", "holder": None} for _ in range(3)]
    session.execute(insert(Card), rows)
    numbers = stored(session, "number")
    assert len(set(numbers)) == 3
    assert [opened(number, APP) for number in numbers] == [b"same"] * 3
    assert stored(session, "holder") == [None] * 3


def test_what_comes_back_opened_is_bytes_or_text(session: Session) -> None:
    # As a server gives it.
    session.execute(
        text("insert into cards values (1, :number, :holder, :note)"),
        {"number": b"4111", "holder": "Jos\xe9".encode(), "note": None},
    )
    card = session.scalars(select(Card)).one()
    assert (card.number, card.holder, card.note) == (b"4111", "Jos\xe9", None)


def test_what_comes_back_sealed_is_an_error(session: Session) -> None:
    session.add(Card(number=b"4111"))
    session.commit()
    with pytest.raises(StillSealed, match="through a connector"):
        session.scalars(select(Card.number)).all()
    # To look at it as it is, take the type off.
    raw = session.scalars(select(type_coerce(Card.number, LargeBinary))).one()
    assert opened(raw, APP) == b"4111"


@pytest.mark.parametrize(
    "expression",
    [
        lambda: Card.number == b"4111",
        lambda: Card.number != b"4111",
        lambda: Card.holder < "a",
        lambda: Card.holder.like("a%"),
        lambda: Card.holder.in_(["a"]),
        lambda: Card.holder + "a",
        lambda: "a" + Card.holder,
        lambda: Card.holder.desc(),
        lambda: Card.number == Card.note,
        lambda: Card.holder.startswith("a"),
    ],
)
def test_a_comparison_that_could_never_hold_is_a_type_error(
    expression: Callable[[], object],
) -> None:
    with pytest.raises(TypeError, match="sealed column"):
        expression()


def test_null_can_be_tested_for_and_rows_counted(session: Session) -> None:
    session.execute(insert(Card), [{"number": b"4111"}, {"number": None}])
    for is_null in (Card.number.is_(None), Card.number == None):  # noqa: E711
        assert session.scalars(select(Card.id).where(is_null)).all() == [2]
    for is_set in (Card.number.is_not(None), Card.number != None):  # noqa: E711
        assert session.scalars(select(Card.id).where(is_set)).all() == [1]
    assert session.scalar(select(func.count(Card.number))) == 1


def test_an_update_of_many_models_reaches_those_in_the_session(
    session: Session,
) -> None:
    # As a server gives it.
    session.execute(text("insert into cards (id, number) values (1, :n)"), {"n": b"1"})
    card = session.scalars(select(Card)).one()
    session.execute(update(Card).values(number=b"2"))
    assert card.number == b"2"
    assert opened(stored(session, "number")[0], APP) == b"2"


@pytest.mark.parametrize("values", [{"number": "4111"}, {"holder": b"Jos"}])
def test_a_value_of_the_wrong_type_is_not_sealed(
    session: Session, values: dict[str, object]
) -> None:
    with pytest.raises(NotSealed, match=r"not str|not bytes"):
        session.execute(insert(Card), values)
    assert stored(session, "number") == []


def test_a_value_that_is_not_sealed_is_not_written_and_not_in_the_error(
    session: Session,
) -> None:
    def no_key() -> Recipient:
        raise ConnectorUnreachable("no connector answers")

    def no_tenant() -> Seals:
        raise LookupError("no tenant is set")

    for source in (FreshSealer(no_key), no_tenant):
        table = Table("cards", MetaData(), Column("note", SealedText(source)))
        with pytest.raises(NotSealed, match=r"not sealed: no ") as failed:
            session.execute(insert(table), [{"note": "a secret"}] * 2)
        assert failed.value.__cause__ is not None
        shown = "".join(traceback.format_exception_only(failed.value))
        assert "a secret" not in shown
    session.rollback()
    assert stored(session, "note") == []


def test_a_statement_that_is_cached_seals_with_the_sealer_of_its_own_column(
    session: Session,
) -> None:
    for key in (APP, ZONE, APP):
        tenant.set(Sealer(recipient_of(key)))
        session.execute(insert(Card), {"note": key["owner"]})
    notes = stored(session, "note")
    assert [opened(note, key) for note, key in zip(notes, (APP, ZONE, APP))] == [
        key["owner"].encode() for key in (APP, ZONE, APP)
    ]
    other = Sealed(Sealer(recipient_of(ZONE)))
    assert other._static_cache_key != Sealed(sealer)._static_cache_key


def test_an_armored_text_is_stored_as_text(session: Session) -> None:
    session.execute(insert(Letter), [{"body": "Jos\xe9"}, {"body": None}])
    body, null = stored(session, "body", "letters")
    assert isinstance(body, str)
    assert opened(dearmored(body), APP) == "Jos\xe9".encode()
    assert null is None
    with pytest.raises(StillSealed, match="through a connector"):
        session.scalars(select(Letter.body)).all()


@pytest.mark.parametrize("body", ["Jos\xe9", "pgs1. begins like armor", "", None])
def test_an_armored_text_comes_back_as_it_was_opened(
    session: Session, body: str | None
) -> None:
    # As a server gives it.
    session.execute(text("insert into letters values (1, :body)"), {"body": body})
    assert session.scalars(select(Letter.body)).one() == body


@pytest.mark.parametrize("body", [b"bytes", "a NUL: \0"])
def test_what_no_text_column_can_hold_is_not_armored(
    session: Session, body: object
) -> None:
    with pytest.raises(NotSealed, match=r"not bytes|no NUL"):
        session.execute(insert(Letter), {"body": body})
    assert stored(session, "body", "letters") == []
