"""Certificates of a station (2.0.1, A and M; 1.6 security extension): installed, and asked to sign.

A station names a certificate by hashes of its issuer and its serial number; one that we installed
is known by its fingerprint until the station is asked what is there.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256

from domain.holdings import Change, Telling, gone, merge, put
from domain.members import (
    Payload,
    Value,
    integer_of,
    iso,
    key_of,
    list_of,
    members,
    object_of,
    objects_of,
    plain,
    text_of,
)

FACET = "certificates"
REQUESTS = "certificate-requests"
_TYPES_16 = {"CentralSystemRootCertificate": "CSMSRootCertificate"}
_STATION = "ChargingStationCertificate"
CSR_CHARACTERS_MAX = 12_000
"""OCPP allows 5500."""

_HASHES = ("hashAlgorithm", "issuerNameHash", "issuerKeyHash", "serialNumber")


def installed(telling: Telling) -> Iterator[Change]:
    """InstallCertificate."""
    if telling.is_accepted:
        kind = _kind(text_of(telling.request, "certificateType"))
        fingerprint = _fingerprint(telling.request.get("certificate"))
        value = {"certificate_type": kind, "sha256": fingerprint, "known_by": "installation"}
        yield put(FACET, key_of(("sha256", fingerprint)), value)


def deleted(telling: Telling) -> Iterator[Change]:
    """DeleteCertificate. One that is not found is not there either."""
    if telling.status in ("Accepted", "NotFound"):
        yield gone(FACET, _key(object_of(telling.request, "certificateHashData")))


def listed_16(telling: Telling) -> Iterator[Change]:
    """GetInstalledCertificateIds."""
    kind = _kind(text_of(telling.request, "certificateType"))
    if telling.status in ("Accepted", "NotFound"):
        yield from _replaced(telling, {kind})
        for hashes in objects_of(telling.result, "certificateHashData"):
            yield _listed(kind, hashes)


def listed_2(telling: Telling) -> Iterator[Change]:
    """GetInstalledCertificateIds; without types, all there are."""
    if telling.status not in ("Accepted", "NotFound"):
        return
    yield from _replaced(
        telling, {str(each) for each in list_of(telling.request, "certificateType")}
    )
    for chain in objects_of(telling.result, "certificateHashDataChain"):
        below = [plain(each) for each in objects_of(chain, "childCertificateHashData")]
        hashes = object_of(chain, "certificateHashData")
        yield _listed(text_of(chain, "certificateType"), hashes, children=below)


def _replaced(telling: Telling, kinds: set[str]) -> Iterator[Change]:
    for key, known in telling.held.each(FACET):
        kind = known.get("certificate_type")
        # A station does not list its own certificate, only roots and the chains of EVs.
        if kind != _STATION and (not kinds or kind in kinds):
            yield gone(FACET, key)


def _listed(kind: str, hashes: Payload, **more: object) -> Change:
    value = {"certificate_type": kind, **members(hashes, *_HASHES), "known_by": "station", **more}
    return put(FACET, _key(hashes), value)


def _key(hashes: Payload) -> str:
    *names, serial = (text_of(hashes, name).lower() for name in _HASHES)
    # OCPP writes the serial number without leading zeros; whole bytes of it are the same number.
    return key_of(("hashes", *names, serial.lstrip("0")))


def signing_asked(telling: Telling) -> Iterator[Change]:
    """SignCertificate: a request of the station, pending if we accepted it."""
    digest = sha256(str(telling.request.get("csr", "")).encode()).hexdigest()
    value = {
        "state": "pending" if telling.is_accepted else "rejected",
        "certificate_type": text_of(telling.request, "certificateType") or _STATION,
        "csr": str(telling.request.get("csr", ""))[:CSR_CHARACTERS_MAX],
        "csr_sha256": digest,
        "request_id": integer_of(telling.request, "requestId"),
        "answer": telling.status,
        "requested_at": iso(telling.recorded_at),
    }
    yield put(REQUESTS, digest[:32], value)


def signed(telling: Telling) -> Iterator[Change]:
    """CertificateSigned: what was asked last for this use is answered."""
    if not telling.is_accepted:
        return
    kind = text_of(telling.request, "certificateType") or _STATION
    fingerprint = _fingerprint(telling.request.get("certificateChain"))
    value: Value = {"certificate_type": kind, "sha256": fingerprint, "known_by": "installation"}
    yield put(FACET, key_of(("own", kind)), value)
    request_id = integer_of(telling.request, "requestId")
    for key, asked in telling.held.each(REQUESTS):
        is_meant = request_id is None or asked.get("request_id") == request_id
        if is_meant and asked.get("certificate_type") == kind and asked.get("state") != "signed":
            yield merge(REQUESTS, key, {"state": "signed"})


def _kind(kind: str) -> str:
    return _TYPES_16.get(kind, kind)


def _fingerprint(pem: object) -> str:
    """Return the SHA-256 of the first certificate of a PEM text; of the text where it is none."""
    text = pem if isinstance(pem, str) else ""
    body = text.partition("-----BEGIN CERTIFICATE-----")[2].partition("-----END")[0]
    try:
        der = b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        der = b""
    return sha256(der or text.encode()).hexdigest()
