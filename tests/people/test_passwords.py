"""Test how passwords are hashed and which passwords are refused."""

import asyncio

import pytest

from portal.people.access import passwords
from portal.people.access.passwords import LEAST, MOST, chosen, hashed, matches, refuse_weak, renewed

KNOWN = ["Halden IT", "Halden IT GmbH", "Acme", "Ada Lindqvist", "ada@acme.example"]


async def test_a_hash_names_argon2id_and_its_parameters() -> None:
    """R1: a stored hash names argon2id and its parameters."""
    assert (await hashed("correct horse battery staple")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_hash_of_other_parameters_is_renewed_and_a_present_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """R1: a hash with outdated parameters is renewed, and a current one is not."""
    kept = await hashed("correct horse battery staple")
    assert renewed(kept, "correct horse battery staple") is None
    monkeypatch.setattr(passwords, "HASHER", passwords.PasswordHasher(time_cost=3, memory_cost=19456, parallelism=1))
    fresh = renewed(kept, "correct horse battery staple")
    assert fresh is not None
    assert "t=3" in fresh
    assert matches(fresh, "correct horse battery staple")


async def test_at_most_two_are_hashed_at_once() -> None:
    """R2: at most two passwords are hashed at the same time in one process."""
    working = most = 0

    async def work() -> None:
        nonlocal working, most
        async with passwords.slot():
            working += 1
            most = max(most, working)
            await asyncio.sleep(0)
            working -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert most == 2


@pytest.mark.parametrize(
    "password",
    [
        "x" * 20 + "ÄöÜ ßmtks" * 4,
        "  leading and trailing  ",
        "日本語のとても長い合言葉です",
        "R4nd0m—𝔭𝔞𝔰𝔰—ж‰√",
        "\N{PILE OF POO}fjtw-qpvb-zkxn",
    ],
)
async def test_any_characters_are_kept_without_a_cut(password: str) -> None:
    """R3: a password may contain any characters, and all of them count."""
    refuse_weak(password, KNOWN)
    kept = await hashed(password)
    assert matches(kept, password)
    assert not matches(kept, password[:-1])
    assert not matches(kept, password.strip() + "!")


@pytest.mark.parametrize("length", [12, 64, 128])
def test_lengths_from_12_to_128_are_taken(length: int) -> None:
    """R3: passwords of 12 to 128 characters are accepted."""
    refuse_weak(("vq7 mzjt-klpw" * 10)[:length], KNOWN)


@pytest.mark.parametrize(
    ("length", "sentence"), [(11, f"Use at least {LEAST} characters."), (129, "Use at most 128 characters.")]
)
def test_other_lengths_are_refused(length: int, sentence: str) -> None:
    """R3: passwords with fewer than 12 or more than 128 characters are refused."""
    with pytest.raises(ValueError, match=sentence):
        refuse_weak(("vq7 mzjt-klpw" * 10)[:length], KNOWN)


@pytest.mark.parametrize(
    "password",
    """password1234 Password123! P@ssw0rd2026 passwordpassword qwertzuiop12 qwertyuiop123 123456789012 987654321098 aaaaaaaaaaaa
    abcabcabcabc abcdefghijkl Sommer2026!! Welcome12345 letmein12345 iloveyou1234 administrator1 admin1234567 changeme1234
    1q2w3e4r5t6z football2026 Michael12345 september2026 acme12345678 Acme-Acme-2026 halden2026halden lindqvist-1987 adaadaadaada
    HaldenIT2026! support-acme-1""".split(),
)
def test_what_guessers_try_first_is_refused(password: str) -> None:
    """R4: passwords that attackers try first are refused."""
    with pytest.raises(ValueError, match="easy to guess"):
        refuse_weak(password, KNOWN)


@pytest.mark.parametrize(
    "password",
    ["correct horse battery staple", "gT5#vmQ2!xRz", "kettle-mauve-oxbow-17", "3f9a-b07c-d1e4-88c2", "739264810572"],
)
def test_what_is_hard_to_guess_is_taken(password: str) -> None:
    """R3: passwords that are hard to guess are accepted."""
    refuse_weak(password, KNOWN)


def test_the_same_word_typed_on_another_keyboard_matches() -> None:
    """A password matches whether the keyboard sends a letter such as ö as one code point or as two."""
    composed, decomposed = "schöne grüße 77", "scho\u0308ne gru\u0308ße 77"
    assert matches(passwords.HASHER.hash(passwords._plain(composed)), decomposed)


async def test_a_password_whose_letters_are_typed_in_two_parts_opens_what_it_was_chosen_for() -> None:
    """R3: the length of a password is counted in Unicode form NFC, both when it is chosen and when it is checked."""
    letters = "vqz7mjtklpwxhbdf" * 7
    whole, parts = "é" * (128 - len(letters)) + letters, "e\u0301" * (128 - len(letters)) + letters
    assert len(parts) > MOST
    kept = await chosen(parts, [])
    assert matches(kept, parts)
    assert matches(kept, whole)
    assert not matches(kept, parts + "x")
