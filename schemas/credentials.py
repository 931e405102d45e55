"""Verifiers of station passwords: salted, keyed, and fast.

OCPP passwords are random and at least 16 bytes (security white paper for 1.6, 2.0.1 A00.FR.205), so
no slow hash is needed, and one would turn a reconnecting fleet into an outage. The key (pepper) is
not stored beside the verifiers. Human passwords must not be kept this way.

An AuthorizationKey of 1.6 is written as hexadecimal digits; some stations present those digits,
some the bytes that they stand for. Both are the same password here.
"""

import hmac
import re

_SCHEME = "hmac-sha256"
_HEXADECIMAL_KEY = re.compile(rb"(?:[0-9A-Fa-f]{2}){16,20}")


def make_verifier(password: bytes, pepper: bytes, salt: bytes) -> str:
    """Return what to keep instead of the password. `salt` is random, 16 bytes, and never reused."""
    return f"{_SCHEME}${salt.hex()}${_digest(password, pepper, salt).hex()}"


def matches(verifier: str, password: bytes, pepper: bytes) -> bool:
    """Tell in constant time whether this is the password; False for a verifier that is none."""
    scheme, _, rest = verifier.partition("$")
    salt, _, digest = rest.partition("$")
    if scheme != _SCHEME:
        return False
    try:
        expected = bytes.fromhex(digest)
        return hmac.compare_digest(expected, _digest(password, pepper, bytes.fromhex(salt)))
    except ValueError:
        return False


def _digest(password: bytes, pepper: bytes, salt: bytes) -> bytes:
    if _HEXADECIMAL_KEY.fullmatch(password):
        password = bytes.fromhex(password.decode("ascii"))
    return hmac.digest(pepper, salt + password, "sha256")
