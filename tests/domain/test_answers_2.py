"""What 2.0.1 and 2.1 are answered where the schema leaves a choice."""

from typing import Any

import pytest

from domain.answering import Policy
from domain.registry import Registry
from schemas import payloads
from schemas.records import IdTokenPut
from tests.domain.log import NOW, SECOND, Worker, working

VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
BOOT = {
    "chargingStation": {
        "vendorName": "V",
        "model": "M",
        "serialNumber": "S",
        "firmwareVersion": "F",
    },
    "reason": "Watchdog",
}


def answer(action: str, payload: Any, version: str, **token: Any) -> Any:
    return asked(action, payload, version, **token).frames()[0][2]


def asked(action: str, payload: Any, version: str, **token: Any) -> Worker:
    """With one registered token, if its members are given."""
    registry = Registry()
    if token:
        registry.fold(0, IdTokenPut(tenant="default", recorded_at=NOW, actor="a", **token))
    log, worker = working(Policy(), registry, version)
    log.calls(action, payload)
    worker.settle()
    for frame in worker.frames():
        assert payloads.violations(version, action, frame[2], response=True) == ()
    return worker


def presented(id_token: str, type: str = "ISO14443") -> dict[str, Any]:
    return {"idToken": {"idToken": id_token, "type": type}}


@VERSIONS
@pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid"])
def test_a_registered_token_gets_its_status_whatever_its_type(version: str, status: str) -> None:
    for kind in ("Central", "eMAID", "ISO15693"):
        told = answer("Authorize", presented("tag", kind), version, uid="TAG", status=status)
        assert told == {"idTokenInfo": {"status": status}}


@VERSIONS
def test_a_token_that_nobody_registered_is_unknown(version: str) -> None:
    assert answer("Authorize", presented("TAG"), version) == {"idTokenInfo": {"status": "Unknown"}}


@VERSIONS
def test_a_token_says_when_it_expires_and_is_expired_from_then_on(version: str) -> None:
    later = answer("Authorize", presented("TAG"), version, uid="TAG", expires_at=NOW + SECOND)
    now = answer("Authorize", presented("TAG"), version, uid="TAG", expires_at=NOW)

    assert later["idTokenInfo"] == {
        "status": "Accepted",
        "cacheExpiryDateTime": "2026-11-23T10:00:01Z",
    }
    assert now["idTokenInfo"]["status"] == "Expired"


@pytest.mark.parametrize(
    ("version", "length", "is_told"),
    [("2.0.1", 36, True), ("2.0.1", 37, False), ("2.1", 255, True), ("2.1", 256, False)],
)
def test_a_group_is_told_where_the_version_can_hold_it(
    version: str, length: int, is_told: bool
) -> None:
    group = "G" * length

    told = answer("Authorize", presented("TAG"), version, uid="TAG", group=group)

    assert told["idTokenInfo"].get("groupIdToken") == (
        {"idToken": group, "type": "Central"} if is_told else None
    )


@VERSIONS
def test_a_session_that_needs_no_token_is_accepted(version: str) -> None:
    told = answer("Authorize", presented("", "NoAuthorization"), version)

    assert told == {"idTokenInfo": {"status": "Accepted"}}


@VERSIONS
@pytest.mark.parametrize(
    "certificate",
    [
        {"certificate": "-----BEGIN CERTIFICATE-----"},
        {
            "iso15118CertificateHashData": [
                {
                    "hashAlgorithm": "SHA256",
                    "issuerNameHash": "a",
                    "issuerKeyHash": "b",
                    "serialNumber": "c",
                    "responderURL": "https://ocsp.example.org",
                }
            ]
        },
    ],
)
def test_a_certificate_that_nobody_checked_opens_nothing(
    version: str, certificate: dict[str, Any]
) -> None:
    payload = {**presented("TAG", "eMAID"), **certificate}

    told = answer("Authorize", payload, version, uid="TAG")

    assert told == {
        "idTokenInfo": {"status": "Invalid"},
        "certificateStatus": "NoCertificateAvailable",
    }


@VERSIONS
def test_a_boot_says_who_and_why(version: str) -> None:
    worker = asked("BootNotification", BOOT, version)

    identity = worker.station.identity
    assert identity is not None
    assert (identity.vendor, identity.model) == ("V", "M")
    assert (identity.serial_number, identity.firmware_version) == ("S", "F")
    assert (identity.reason, identity.status) == ("Watchdog", "Accepted")
    assert worker.frames()[0][2]["currentTime"] == "2026-11-23T10:00:00Z"


@VERSIONS
def test_each_evse_has_connectors_of_its_own(version: str) -> None:
    log, worker = working(protocol=version)
    for evse_id, status in ((1, "Occupied"), (2, "Faulted"), (1, "Available")):
        log.calls(
            "StatusNotification",
            {
                "timestamp": "2026-11-23T10:00:00Z",
                "connectorStatus": status,
                "evseId": evse_id,
                "connectorId": 1,
            },
        )
    worker.settle()

    told = {place: each.status for place, each in worker.station.connectors.items()}
    assert told == {(1, 1): "Available", (2, 1): "Faulted"}


def test_each_certificate_of_a_chain_failed_and_may_be_asked_for_again() -> None:
    hashes = {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": "a",
        "issuerKeyHash": "b",
        "serialNumber": "c",
    }
    one = {"source": "CRL", "urls": ["https://crl.example.org"], "certificateHashData": hashes}
    other = {**one, "source": "OCSP"}

    told = answer("GetCertificateChainStatus", {"certificateStatusRequests": [one, other]}, "2.1")

    assert [each["source"] for each in told["certificateStatus"]] == ["CRL", "OCSP"]
    assert {each["status"] for each in told["certificateStatus"]} == {"Failed"}
    assert told["certificateStatus"][0]["certificateHashData"] == hashes


@pytest.mark.parametrize("where", [{}, {"evseId": 2}])
def test_a_vat_number_is_named_in_its_rejection(where: dict[str, int]) -> None:
    told = answer("VatNumberValidation", {"vatNumber": "NL123", **where}, "2.1")

    assert told == {
        "vatNumber": "NL123",
        "status": "Rejected",
        "statusInfo": {"reasonCode": "NoValidation"},
        **where,
    }
