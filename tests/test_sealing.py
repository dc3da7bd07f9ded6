"""Test sealed (encrypted) texts: each can be opened only for its purpose, and still while the secret is replaced."""

from datetime import UTC, datetime, timedelta

import pytest

from portal.sealing import Broken, Sealer, key_of

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
ONE, OTHER = "one secret of thirty-two characters", "another secret of thirty-two characters"


def test_what_was_sealed_opens_for_its_purpose_only() -> None:
    """R87: a text sealed for one purpose cannot be opened for another, because each purpose has its own key."""
    sealed = Sealer(ONE).seal("letters", "äöü 7", NOW)
    assert Sealer(ONE).open("letters", sealed, NOW) == "äöü 7"
    with pytest.raises(Broken):
        Sealer(ONE).open("parcels", sealed, NOW)
    assert key_of(ONE, "letters") != key_of(ONE, "parcels") != key_of(OTHER, "parcels")


@pytest.mark.parametrize("broken", ["", "x", "ä", "\0", "gAAAA", "=" * 50])
def test_what_was_never_sealed_does_not_open(broken: str) -> None:
    with pytest.raises(Broken):
        Sealer(ONE).open("letters", broken, NOW)


def test_no_character_can_be_changed() -> None:
    sealed = Sealer(ONE).seal("letters", "text", NOW)
    for place in range(len(sealed) - 1):  # The last character of base64 may hold bits that mean nothing.
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        with pytest.raises(Broken):
            Sealer(ONE).open("letters", changed, NOW, within=timedelta(minutes=1))


def test_a_seal_has_its_time() -> None:
    sealed = Sealer(ONE).seal("letters", "text", NOW)
    within = timedelta(minutes=5)
    assert Sealer(ONE).open("letters", sealed, NOW + within, within=within) == "text"
    with pytest.raises(Broken):
        Sealer(ONE).open("letters", sealed, NOW + within + timedelta(seconds=1), within=within)


def test_a_secret_is_replaced_without_losing_what_it_sealed() -> None:
    """R87: during a rotation, text sealed with the former secret can be opened; the new secret seals new text."""
    before = Sealer(ONE).seal("letters", "text", NOW)
    rotated = Sealer(OTHER, ONE)
    assert rotated.open("letters", before, NOW) == "text"
    after = rotated.seal("letters", "text", NOW)
    assert Sealer(OTHER).open("letters", after, NOW) == "text"
    with pytest.raises(Broken):
        Sealer(ONE).open("letters", after, NOW)
