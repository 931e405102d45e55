"""Whether a signature is one of a key: ECDSA over the curves that OCMF names. Pure.

The one module of the domain that imports a driver of cryptography: verifying needs no secret and no
I/O, and is a function of its arguments. `cryptography` leaves secp192k1 to nobody (OpenSSL does not
have it), so that curve is calculated here; there is no secret whose timing could leak.
"""

import base64
import binascii
import re
from functools import lru_cache
from hashlib import sha256, sha512

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from schemas.signatures import Validity

_ALGORITHM = re.compile(r"ECDSA-([0-9A-Za-z]{1,20})-(SHA256|SHA384|SHA512)", re.ASCII)
_HASHES: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}
_ALIASES = {
    "brainpool256r1": "brainpoolP256r1",
    "brainpool384r1": "brainpoolP384r1",
    "brainpool512r1": "brainpoolP512r1",
}
_SPACE = re.compile(r"[\s:]+")


def verify(signed: str, signature: str, *, algorithm: str, encoding: str, key: str) -> Validity:
    """`key` is a SubjectPublicKeyInfo, in hex or base64. Unverifiable is not invalid."""
    named = _ALGORITHM.fullmatch(algorithm)
    der = _decoded_key(key)
    told = _decoded(signature, encoding)
    if named is None or der is None:
        return "unverifiable"
    if told is None:
        return "invalid"
    curve = _ALIASES.get(named[1], named[1])
    if der.startswith(_K192_PREFIX):
        if curve != "secp192k1" or named[2] == "SHA384":
            return "invalid"
        return _verify_secp192k1(der[len(_K192_PREFIX) :], told, signed.encode(), named[2])
    public = _public_key(der)
    if public is None:
        return "unverifiable"
    if public.curve.name.lower() != curve.lower():
        return "invalid"
    try:
        public.verify(told, signed.encode(), ec.ECDSA(_HASHES[named[2]]()))
    except (InvalidSignature, ValueError):
        return "invalid"
    except UnsupportedAlgorithm:
        return "unverifiable"
    return "valid"


def fingerprint(key: str) -> str:
    """What names a key in a record: the SHA-256 of its DER, or "" if it is no key at all."""
    der = _decoded_key(key)
    return sha256(der).hexdigest() if der is not None else ""


def base64_key(key: str) -> str:
    """Return the DER of the key in base64, or "" if it is none."""
    der = _decoded_key(key)
    return base64.b64encode(der).decode() if der is not None else ""


def is_key(key: str) -> bool:
    """Whether it is a public key with which signatures of meters can be verified."""
    der = _decoded_key(key)
    if der is None:
        return False
    if der.startswith(_K192_PREFIX):
        return _point(der[len(_K192_PREFIX) :]) is not None
    return _public_key(der) is not None


def _decoded(text: str, encoding: str) -> bytes | None:
    try:
        if encoding == "base64":
            return base64.b64decode(text, validate=True)
        return bytes.fromhex(text)
    except (ValueError, binascii.Error):
        return None


def _decoded_key(key: str) -> bytes | None:
    text = _SPACE.sub("", key)
    if not text:
        return None
    return _decoded(text, "hex") or _decoded(text, "base64")


@lru_cache(maxsize=256)
def _public_key(der: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None


# secp192k1 (SEC 2, 2.2.1): y² = x³ + 3 over the field of _P, the generator _G of order _N.

_K192_PREFIX = bytes.fromhex("3046301006072a8648ce3d020106052b8104001f033200")
_P = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFEE37
_N = 0xFFFFFFFFFFFFFFFFFFFFFFFE26F2FC170F69466A74DEFD8D
_G = (
    0xDB4FF10EC057E9AE26B07D0280B7F4341DA5D1B1EAE06C7D,
    0x9B2F2F6D9C5628A7844163D015BE86344082AA88D95E2F9D,
)
_Point = tuple[int, int] | None
"""None is the point at infinity."""


def _verify_secp192k1(point: bytes, signature: bytes, signed: bytes, hash_name: str) -> Validity:
    public = _point(point)
    if public is None:
        return "unverifiable"
    try:
        r, s = utils.decode_dss_signature(signature)
    except ValueError:
        return "invalid"
    if not (0 < r < _N and 0 < s < _N):
        return "invalid"
    hashed = (sha256 if hash_name == "SHA256" else sha512)(signed).digest()
    number = int.from_bytes(hashed[:24], "big")
    inverse = pow(s, -1, _N)
    sum_ = _add(_times(number * inverse % _N, _G), _times(r * inverse % _N, public))
    return "valid" if sum_ is not None and sum_[0] % _N == r else "invalid"


def _point(encoded: bytes) -> tuple[int, int] | None:
    if len(encoded) != 49 or encoded[0] != 4:
        return None
    x, y = int.from_bytes(encoded[1:25], "big"), int.from_bytes(encoded[25:], "big")
    return (x, y) if x < _P and y < _P and (y * y - x * x * x - 3) % _P == 0 else None


def _times(factor: int, point: _Point) -> _Point:
    result: _Point = None
    while factor:
        if factor & 1:
            result = _add(result, point)
        point = _add(point, point)
        factor >>= 1
    return result


def _add(a: _Point, b: _Point) -> _Point:
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0]:
        if (a[1] + b[1]) % _P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, _P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, _P)
    x = (slope * slope - a[0] - b[0]) % _P
    return x, (slope * (a[0] - x) - a[1]) % _P
