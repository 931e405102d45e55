"""What a station's registration says about calibration law: whether it binds, and the meters' keys.

Attributes `eichrecht` (true: the signed difference is the energy) and the public keys: either
`public_key_hex`, one key for every meter of the station, or `public_keys`, a list of
`{"key", "meter", "evse", "valid_from", "valid_until"}` of which only `key` is required. Keys come
from the meter's label or a register, never from a message: what a message brings proves nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from domain import signatures
from domain.readings import read_time
from domain.signed_values import SignedValue, container, digest
from schemas.attributes import EICHRECHT
from schemas.signatures import SignatureVerdict

NAMES = (EICHRECHT, "public_key_hex", "public_keys")
"""Of the attributes that are read here."""


class MeterKey(Struct, frozen=True, kw_only=True):
    key: str
    meter: str = ""
    """Serial number; empty: any meter of the station."""
    evse: int | None = None
    valid_from: int | None = None
    valid_until: int | None = None


class Calibration(Struct, frozen=True):
    is_calibrated: bool = False
    keys: tuple[MeterKey, ...] = ()


def calibration_of(attributes: Mapping[str, Any]) -> Calibration:
    """Return what is registered; what is no key there is passed over."""
    listed = attributes.get("public_keys")
    keys = [_key(one) for one in listed] if isinstance(listed, list) else []
    single = attributes.get("public_key_hex")
    if type(single) is str:
        keys.append(MeterKey(key=single))
    return Calibration(
        attributes.get(EICHRECHT) is True,
        tuple(key for key in keys if key is not None and signatures.is_key(key.key)),
    )


def judge(
    values: Sequence[SignedValue], calibration: Calibration, *, evse: int, at: int | None
) -> tuple[SignatureVerdict, ...]:
    """Return what each signature is worth; `at`: when the transaction ended, for the keys."""
    return tuple(_judged(value.text, calibration, evse, at) for value in values)


def _judged(text: str, calibration: Calibration, evse: int, at: int | None) -> SignatureVerdict:
    found = container(text)
    if found is None:
        return SignatureVerdict(container=digest(text), validity="unverifiable")
    fitting = [key for key in calibration.keys if _fits(key, found.meter, evse, at)]
    # A key that names the meter speaks for it alone; one that names none speaks where none does.
    named = [key for key in fitting if key.meter] or fitting
    verdict = SignatureVerdict(container=digest(text), validity="unverifiable", meter=found.meter)
    for key in named:
        validity = signatures.verify(
            found.signed,
            found.signature,
            algorithm=found.algorithm,
            encoding=found.encoding,
            key=key.key,
        )
        verdict = SignatureVerdict(
            container=verdict.container,
            validity=validity,
            meter=found.meter,
            key=signatures.fingerprint(key.key),
            public_key=signatures.base64_key(key.key),
        )
        if validity == "valid":
            break
    return verdict


def _fits(key: MeterKey, meter: str, evse: int, at: int | None) -> bool:
    if (key.meter and key.meter != meter) or (key.evse is not None and key.evse != evse):
        return False
    if at is None:
        return True
    after = key.valid_from is None or key.valid_from <= at
    return after and (key.valid_until is None or at < key.valid_until)


def _key(one: Any) -> MeterKey | None:
    if not isinstance(one, dict) or type(one.get("key")) is not str:
        return None
    meter, evse = one.get("meter"), one.get("evse")
    return MeterKey(
        key=one["key"],
        meter=meter.strip() if type(meter) is str else "",
        evse=evse if type(evse) is int else None,
        valid_from=read_time(one.get("valid_from"))[0],
        valid_until=read_time(one.get("valid_until"))[0],
    )
