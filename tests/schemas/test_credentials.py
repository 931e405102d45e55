"""Verifiers of station passwords (OCPP-J 1.6, 6.2; 2.0.1 A00.FR.205)."""

import pytest

from schemas.credentials import make_verifier, matches

PEPPER = b"pepper"
SALT = bytes(range(16))
KEY_TEXT = b"0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF"
KEY_BYTES = bytes.fromhex(KEY_TEXT.decode())


@pytest.mark.parametrize("registered", [KEY_TEXT, KEY_BYTES])
@pytest.mark.parametrize("presented", [KEY_TEXT, KEY_BYTES, KEY_TEXT.lower()])
def test_a_key_is_accepted_as_its_digits_and_as_its_bytes(
    registered: bytes, presented: bytes
) -> None:
    assert matches(make_verifier(registered, PEPPER, SALT), presented, PEPPER)


@pytest.mark.parametrize(
    "presented", [b"", b"secret-passwor", b"secret-password!x", b"SECRET-PASSWORD!", b"\xff\x00"]
)
def test_another_password_is_refused(presented: bytes) -> None:
    assert not matches(make_verifier(b"secret-password!", PEPPER, SALT), presented, PEPPER)


def test_a_verifier_is_worth_nothing_without_its_pepper() -> None:
    verifier = make_verifier(b"secret-password!", PEPPER, SALT)

    assert not matches(verifier, b"secret-password!", b"other")


def test_a_verifier_does_not_contain_the_password() -> None:
    verifier = make_verifier(b"secret-password!", PEPPER, SALT)

    assert "secret" not in verifier
    assert b"secret-password!".hex() not in verifier


def test_the_same_password_has_another_verifier_under_another_salt() -> None:
    assert make_verifier(b"p" * 16, PEPPER, SALT) != make_verifier(b"p" * 16, PEPPER, bytes(16))


@pytest.mark.parametrize(
    "verifier", ["", "x", "hmac-sha256$zz$00", "hmac-sha256$00$zz", "md5$00$00"]
)
def test_what_is_no_verifier_matches_nothing(verifier: str) -> None:
    assert not matches(verifier, b"", PEPPER)
