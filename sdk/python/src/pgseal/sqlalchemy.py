"""Column types for SQLAlchemy 2: values are sealed on the way in.

On the way out a pgseal server has opened them. Needs the extra `pgseal[sqlalchemy]`.

SQLAlchemy shows a statement's parameters in some errors, before they are sealed: make
engines with `hide_parameters=True`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, Union

from sqlalchemy import ColumnElement, LargeBinary, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator, TypeEngine

from pgseal.envelope import ARMORED_MAGIC, MAGIC, Buffer, armor
from pgseal.errors import PgsealError, SealError, StillSealed

T = TypeVar("T")


class NotSealed(SealError, DontWrapMixin):
    """A value that could not be sealed, so its statement was not run; see `__cause__`.

    SQLAlchemy passes it on as it is. Around any other error it would put one of its
    own, with the statement's parameters in clear.
    """


class Seals(Protocol):
    """What seals a value: `pgseal.Sealer`, `pgseal.FreshSealer`, an open batch."""

    def seal(self, plaintext: Buffer) -> bytes:
        """Return the envelope of a value."""


Source = Union[Seals, Callable[[], Seals]]
"""A sealer, or what gives one for each value: the `get` of a `ContextVar`, say."""


class _Unordered(TypeEngine.Comparator[Any]):
    """Lets a column be tested for NULL, and nothing else.

    And for being itself: SQLAlchemy has dictionaries of columns, which ask that of two
    with the same hash.
    """

    def operate(self, op: operators.OperatorType, *other: Any, **kwargs: Any) -> Any:
        allowed = op in (operators.is_, operators.is_not) or (
            op in (operators.eq, operators.ne)
            and len(other) == 1
            and (other[0] is None or self._is(other[0]))
        )
        if allowed:
            return super().operate(op, *other, **kwargs)
        raise TypeError(
            "a sealed column cannot be compared, sorted or computed with in SQL: the"
            " database does not know its values; test it for NULL, or filter in Python"
        )

    def _is(self, other: object) -> bool:
        return isinstance(other, ColumnElement) and hash(other) == hash(self.expr)

    def reverse_operate(
        self, op: operators.OperatorType, other: Any, **kwargs: Any
    ) -> Any:
        return self.operate(op, other, **kwargs)


class _Sealed(TypeDecorator[T]):
    cache_ok = True
    comparator_factory = _Unordered

    def __init__(self, sealer: Source) -> None:
        super().__init__()
        self.sealer = sealer

    def _seal(self, data: Buffer) -> bytes:
        try:
            sealer = self.sealer
            return (sealer() if callable(sealer) else sealer).seal(data)
        except (PgsealError, TypeError, LookupError) as error:
            raise NotSealed(f"a value was not sealed: {error}") from error

    def _opened(self, data: Buffer) -> bytes:
        value = bytes(data)
        if value.startswith(MAGIC):
            raise _still_sealed()
        return value


def _still_sealed() -> StillSealed:
    return StillSealed(
        "a sealed column's value came back as it is stored: read through a"
        " connector, with the zone's id before the column; the server's log"
        " says why it refused a value"
    )


def _encoded(value: object) -> bytes:
    if not isinstance(value, str):
        raise NotSealed(f"a sealed text is str, not {type(value).__name__}")
    return value.encode()


class Sealed(_Sealed[bytes]):
    """A `bytea` column of sealed `bytes`.

    Each value is sealed as it is bound to a statement, by `sealer`: `pgseal.Sealer`,
    `pgseal.FreshSealer`, or a callable that gives one. `None` is NULL. A value that
    comes back sealed raises `pgseal.StillSealed`.

    In SQL it can be tested for NULL only: the database does not know what it holds.
    """

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Seal a value."""
        return None if value is None else self._seal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:
        """Take an opened value."""
        return None if value is None else self._opened(value)


class SealedText(_Sealed[str]):
    """A `bytea` column of sealed text, in UTF-8; as `Sealed` in all else."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Seal a text."""
        return None if value is None else self._seal(_encoded(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Take an opened text."""
        return None if value is None else self._opened(value).decode()


class ArmoredText(_Sealed[str]):
    """A `text` column of sealed text, in text armor; as `Sealed` in all else.

    A third longer than `SealedText`, for where a column must stay text.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Seal a text."""
        if value is None:
            return None
        data = _encoded(value)
        if b"\0" in data:
            raise NotSealed("a text column holds no NUL: use SealedText, in bytea")
        return armor(self._seal(data))

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Take an opened text."""
        if value is not None and value.startswith(ARMORED_MAGIC):
            raise _still_sealed()
        return None if value is None else str(value)
