"""Certificates of a station: installed, listed, deleted, and asked to be signed."""

from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from domain.answering import Policy
from tests.domain.holding import Holder, column, values_of
from tests.domain.log import working
from tests.domain.registering import Registrar

ACCEPTED = {"status": "Accepted"}
DER = b"a certificate"
PEM = f"-----BEGIN CERTIFICATE-----\n{b64encode(DER).decode()}\n-----END CERTIFICATE-----\n"
VERSIONS = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])


def hashes(serial: str) -> dict[str, Any]:
    return {
        "hashAlgorithm": "SHA256", "issuerNameHash": "A1", "issuerKeyHash": "b2",
        "serialNumber": serial,
    }  # fmt: skip


def root(version: str) -> str:
    return "CentralSystemRootCertificate" if version == "1.6" else "CSMSRootCertificate"


def listing(holder: Holder, version: str, *serials: str) -> None:
    if version == "1.6":
        asked: dict[str, Any] = {"certificateType": root(version)}
        told: Any = {"certificateHashData": [hashes(each) for each in serials]}
    else:
        asked = {"certificateType": [root(version)]}
        chains = [
            {"certificateType": root(version), "certificateHashData": hashes(each)}
            for each in serials
        ]
        told = {"certificateHashDataChain": chains}
    status = "Accepted" if serials else "NotFound"
    holder.asked("GetInstalledCertificateIds", asked, {"status": status, **told})


@VERSIONS
def test_an_installed_certificate_is_known_by_its_fingerprint(version: str) -> None:
    holder = Holder(version)
    asked = {"certificateType": root(version), "certificate": PEM}
    holder.asked("InstallCertificate", asked, ACCEPTED)
    holder.asked("InstallCertificate", {**asked, "certificate": "x"}, {"status": "Rejected"})

    value = holder.one("certificates")
    assert value == {
        "certificate_type": "CSMSRootCertificate",
        "sha256": sha256(DER).hexdigest(),
        "known_by": "installation",
    }
    holder.assert_rebuilt()


@VERSIONS
def test_what_the_station_lists_replaces_what_was_known_of_that_use(version: str) -> None:
    holder = Holder(version)
    other = {"certificateType": "ManufacturerRootCertificate", "certificate": "x"}
    holder.asked("InstallCertificate", other, ACCEPTED)
    asked = {"certificateType": root(version), "certificate": PEM}
    holder.asked("InstallCertificate", asked, ACCEPTED)
    listing(holder, version, "01", "02")

    found = holder.of("certificates")
    assert column(found, "certificate_type", "serial_number", "known_by") == [
        ("CSMSRootCertificate", "01", "station"),
        ("CSMSRootCertificate", "02", "station"),
        ("ManufacturerRootCertificate", None, "installation"),
    ]
    listing(holder, version)
    found = holder.of("certificates")
    assert column(found, "certificate_type") == ["ManufacturerRootCertificate"]


def test_a_list_of_all_uses_replaces_them_all() -> None:
    holder = Holder("2.0.1")
    other = {"certificateType": "V2GRootCertificate", "certificate": "x"}
    holder.asked("InstallCertificate", other, ACCEPTED)
    holder.asked("GetInstalledCertificateIds", {}, {"status": "NotFound"})

    assert holder.of("certificates") == {}


@VERSIONS
@pytest.mark.parametrize(("status", "left"), [("Accepted", 1), ("NotFound", 1), ("Failed", 2)])
def test_a_deleted_certificate_is_gone(version: str, status: str, left: int) -> None:
    holder = Holder(version)
    listing(holder, version, "01", "02")
    asked = {"certificateHashData": {**hashes("01"), "issuerNameHash": "a1"}}
    holder.asked("DeleteCertificate", asked, {"status": status})

    assert len(holder.of("certificates")) == left


@pytest.mark.parametrize(("listed", "named"), [("0F", "f"), ("F", "0f"), ("00", "0")])
@VERSIONS
def test_a_serial_number_is_a_number_however_it_is_written(
    version: str, listed: str, named: str
) -> None:
    holder = Holder(version)
    listing(holder, version, listed, "F0")
    holder.asked("DeleteCertificate", {"certificateHashData": hashes(named)}, ACCEPTED)

    assert column(holder.of("certificates"), "serial_number") == ["F0"]
    holder.assert_rebuilt()


@VERSIONS
def test_a_request_to_sign_is_listed(version: str) -> None:
    holder = Holder(version)
    holder.tells("SignCertificate", {"csr": "a request"})
    answer = holder.tells("SignCertificate", {"csr": "a request"})

    value = holder.one("certificate-requests")
    expected = {
        "csr": "a request",
        "csr_sha256": sha256(b"a request").hexdigest(),
        "certificate_type": "ChargingStationCertificate",
        "answer": answer["status"],
        "state": "pending" if answer["status"] == "Accepted" else "rejected",
        "requested_at": "2026-11-23T10:00:00Z",
    }
    assert value == value | expected
    holder.assert_rebuilt()


@VERSIONS
@pytest.mark.parametrize(
    ("for_all", "attribute", "answer"),
    [
        (False, None, "Rejected"),
        (True, None, "Accepted"),
        (False, "accept", "Accepted"),
        (True, "refuse", "Rejected"),
        (True, "perhaps", "Accepted"),
    ],
)
def test_a_request_waits_where_somebody_signs(
    version: str, for_all: bool, attribute: str | None, answer: str
) -> None:
    registrar = Registrar()
    registrar.station("CP1", certificate_requests=attribute)
    policy = Policy(accept_certificate_requests=for_all)
    log, worker = working(policy, registrar.registry, protocol=version)
    log.calls("SignCertificate", {"csr": PEM})
    worker.settle()

    [request] = values_of(log)["certificate-requests"].values()
    assert worker.frames()[-1][2] == {"status": answer}
    assert request["csr"] == PEM
    assert request["state"] == ("pending" if answer == "Accepted" else "rejected")


@VERSIONS
def test_a_signed_certificate_ends_the_request(version: str) -> None:
    holder = Holder(version)
    holder.tells("SignCertificate", {"csr": "a request"})
    holder.asked("CertificateSigned", {"certificateChain": "x"}, {"status": "Rejected"})
    assert column(holder.of("certificate-requests"), "state") != ["signed"]
    holder.asked("CertificateSigned", {"certificateChain": PEM}, ACCEPTED)

    assert column(holder.of("certificate-requests"), "state", "csr") == [("signed", "a request")]
    found = holder.of("certificates")
    assert column(found, "certificate_type", "sha256") == [
        ("ChargingStationCertificate", sha256(DER).hexdigest())
    ]


def test_certificates_of_other_uses_stay_asked_for() -> None:
    holder = Holder("2.0.1")
    holder.tells("SignCertificate", {"csr": "one"})
    holder.tells("SignCertificate", {"csr": "two", "certificateType": "V2GCertificate"})
    asked = {"certificateChain": PEM, "certificateType": "V2GCertificate"}
    holder.asked("CertificateSigned", asked, ACCEPTED)

    found = holder.of("certificate-requests")
    states = dict(column(found, "certificate_type", "state"))
    assert states["V2GCertificate"] == "signed"
    assert states["ChargingStationCertificate"] != "signed"
