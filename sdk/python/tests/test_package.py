"""What the package offers, and what it does not."""

from __future__ import annotations

from importlib.resources import files

import pgseal


def test_every_public_name_is_there_once() -> None:
    assert sorted(set(pgseal.__all__)) == sorted(pgseal.__all__)
    assert all(hasattr(pgseal, name) for name in pgseal.__all__)


def test_nothing_public_opens_or_names_a_private_key() -> None:
    members = [
        f"{name}.{member}"
        for name in pgseal.__all__
        for member in dir(getattr(pgseal, name))
        if not member.startswith("_")
    ]
    assert "Sealer.seal" in members
    for word in ("open", "decrypt", "private"):
        assert not [name for name in pgseal.__all__ + members if word in name.lower()]


def test_types_are_marked_as_shipped() -> None:
    assert files("pgseal").joinpath("py.typed").is_file()
