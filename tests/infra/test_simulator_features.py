"""A simulated station has the optional profiles of OCPP 1.6, and answers every action validly."""

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ocpp.v16 import call

from domain.outbound import OUTBOUND
from infra.simulator import commands
from infra.simulator.answers import Findings
from infra.simulator.call_lane import Witness
from infra.simulator.dialects import dialect
from infra.simulator.oplog import OpLog
from infra.simulator.reply import CallError
from infra.simulator.station import Station, StationOptions
from schemas import payloads
from tests import payload_strategies
from tests.infra.test_simulator_commands import NOW, one_station

LATER = "2026-05-05T12:00:00Z"
PEM = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"
PERIOD = {"startPeriod": 0, "limit": 16.0}


def station_without_a_socket() -> Station:
    options = StationOptions(
        name="SIM-1", url="ws://localhost", password=None, answer_timeout_s=1, give_up_s=None
    )
    witness = Witness(oplog=OpLog(None, keep=False), findings=Findings(), wall=lambda: NOW)
    return Station(options, dialect("1.6"), witness, Random(1))


@pytest.mark.parametrize("action", OUTBOUND["1.6"])
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_every_action_of_ours_is_answered_validly(action: str, data: st.DataObject) -> None:
    station = station_without_a_socket()
    for _ in range(2):
        payload = data.draw(payload_strategies.valid("1.6", action))
        answer = commands.answer(station, action, payload, valid=True)

        assert not isinstance(answer.payload, CallError)
        assert payloads.violations("1.6", action, answer.payload, response=True) == ()


async def test_a_local_list_is_kept_with_its_version() -> None:
    def entry(tag: str) -> dict[str, Any]:
        return {"idTag": tag, "idTagInfo": {"status": "Accepted"}}

    async with one_station() as station:
        full = await station.ask(
            call.SendLocalList(3, "Full", local_authorization_list=[entry("A"), entry("B")])
        )
        old = await station.ask(call.SendLocalList(2, "Differential"))
        version = await station.ask(call.GetLocalListVersion())

    assert (full.status, old.status) == ("Accepted", "VersionMismatch")
    assert version.list_version == 3


async def test_a_reservation_can_be_cancelled_once() -> None:
    async with one_station() as station:
        made = await station.ask(call.ReserveNow(1, LATER, "TAG", 7))
        nowhere = await station.ask(call.ReserveNow(9, LATER, "TAG", 8))
        answers = [(await station.ask(call.CancelReservation(7))).status for _ in range(2)]

    assert (made.status, nowhere.status) == ("Accepted", "Rejected")
    assert answers == ["Accepted", "Rejected"]


async def test_a_profile_is_in_the_schedule_until_it_is_cleared() -> None:
    profile = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [PERIOD]},
    }
    async with one_station() as station:
        nothing = await station.ask(call.GetCompositeSchedule(1, 60))
        put = await station.ask(call.SetChargingProfile(0, profile))
        seen = await station.ask(call.GetCompositeSchedule(1, 60))
        cleared = [(await station.ask(call.ClearChargingProfile(id=1))).status for _ in range(2)]

    assert (nothing.status, put.status, seen.status) == ("Rejected", "Accepted", "Accepted")
    assert seen.charging_schedule["duration"] == 60
    assert cleared == ["Accepted", "Unknown"]


async def test_firmware_and_diagnostics_go_through_their_states() -> None:
    def told(action: str) -> list[str]:
        return [each["status"] for each in station.book.heard_of(action)]

    async with one_station() as station:
        await station.ask(call.UpdateFirmware(location="https://a/b", retrieve_date=LATER))
        await station.until(lambda: "Installed" in told("FirmwareStatusNotification"))
        got = await station.ask(call.GetDiagnostics(location="https://a/b"))
        await station.until(lambda: "Uploaded" in told("DiagnosticsStatusNotification"))

    assert told("FirmwareStatusNotification")[0] == "Downloading"
    assert told("DiagnosticsStatusNotification") == ["Uploading", "Uploaded"]
    assert got.file_name


async def test_an_installed_certificate_is_listed_until_it_is_deleted() -> None:
    root = "CentralSystemRootCertificate"
    async with one_station() as station:
        installed = await station.ask(call.InstallCertificate(root, PEM))
        listed = await station.ask(call.GetInstalledCertificateIds(root))
        (found,) = listed.certificate_hash_data
        hashes = {
            "hashAlgorithm": found["hash_algorithm"],
            "issuerNameHash": found["issuer_name_hash"],
            "issuerKeyHash": found["issuer_key_hash"],
            "serialNumber": found["serial_number"],
        }
        deleted = [(await station.ask(call.DeleteCertificate(hashes))).status for _ in range(2)]
        after = await station.ask(call.GetInstalledCertificateIds(root))

    assert (installed.status, listed.status) == ("Accepted", "Accepted")
    assert deleted == ["Accepted", "NotFound"]
    assert after.status == "NotFound"
