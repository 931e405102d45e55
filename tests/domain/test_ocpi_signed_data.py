"""Signed meter values in OCPI exports, from the frames that a CDR names."""

import base64
from typing import Any

import msgspec
import pytest

from domain.ocpi_signed_data import SIGNED_MAX, SignedMissing, signed_data
from domain.signatures import fingerprint
from domain.signed_values import digest
from schemas.ocpi_cdr import SignedData
from schemas.records import CdrReleased, MessageReceived
from schemas.released import ReleasedSigned, read_released
from tests.domain.log import Log
from tests.domain.test_calibrated_stations import CONTAINERS, KEBA, records_of, session


def told(log: Log) -> tuple[ReleasedSigned, dict[str, str]]:
    [released] = records_of(log, CdrReleased)
    signed = read_released(bytes(released.document)).signed
    assert signed is not None
    frames = {
        f"1:{offset}": record.frame
        for offset, record in enumerate(map(log.read, range(len(log.values))))
        if isinstance(record, MessageReceived)
    }
    return signed, frames


def test_what_was_signed_is_told_character_for_character_with_the_registered_key() -> None:
    log, _, cdr = session(KEBA)
    found = signed_data(*told(log))

    assert found is not None
    SignedData.model_validate(found)
    texts = [one["text"] for one in CONTAINERS[KEBA]]
    assert [each["signed_data"] for each in found["signed_values"]] == texts
    assert found["encoding_method"] == "OCMF"
    key = base64.b64decode(found["public_key"]).hex()
    assert cdr.signed is not None
    assert {fingerprint(key)} == {value.key for value in cdr.signed.values}
    for each in found["signed_values"]:
        assert f"OCMF|{each['plain_data']}|" in each["signed_data"]


def test_a_value_that_is_not_as_the_cdr_names_it_is_not_given_out() -> None:
    log, _, _ = session(KEBA)
    signed, frames = told(log)
    for broken in ({}, {position: frame.replace("S", "T") for position, frame in frames.items()}):
        with pytest.raises(SignedMissing):
            signed_data(signed, broken)


def named(*texts: str, contexts: tuple[str, ...] = (), **more: Any) -> Any:
    """Signed values of 2.x in one frame, and that frame."""
    sampled = [
        {
            "value": 1,
            **({"context": contexts[i]} if contexts else {}),
            "signedMeterValue": {"signedMeterData": text, "encodingMethod": "EDL", **more},
        }
        for i, text in enumerate(texts)
    ]
    payload = {"meterValue": [{"timestamp": "2026-11-23T10:00:00Z", "sampledValue": sampled}]}
    values = [
        {
            "position": "1:4",
            "path": f"/3/meterValue/0/sampledValue/{i}/signedMeterValue/signedMeterData",
            "sha256": digest(text),
        }
        for i, text in enumerate(texts)
    ]
    frame = msgspec.json.encode([2, "m", "TransactionEvent", payload]).decode()
    return msgspec.convert({"values": values}, ReleasedSigned), {"1:4": frame}


def test_another_format_is_told_by_the_name_that_the_station_gave_it() -> None:
    found = signed_data(
        *named("a", "b", "c", contexts=("Transaction.Begin", "Sample.Periodic", "Transaction.End"))
    )
    assert found is not None
    SignedData.model_validate(found)
    assert found["encoding_method"] == "EDL"
    assert [each["nature"] for each in found["signed_values"]] == ["Start", "Intermediate", "End"]
    assert "public_key" not in found


@pytest.mark.parametrize(
    ("reasons", "nature"), [("B", "Start"), ("BE", "End"), ("L", "End"), ("C", "Intermediate")]
)
def test_the_nature_of_a_container_is_that_of_its_readings(reasons: str, nature: str) -> None:
    at = '"TM":"2026-11-23T10:00:00,000+0000 S"'
    readings = ",".join(
        f'{{{at},"TX":"{each}","RV":1,"RI":"1-b:1.8.0","RU":"kWh"}}' for each in reasons
    )
    found = signed_data(*named(f'OCMF|{{"MS":"1","RD":[{readings}]}}|{{"SD":"00"}}'))

    assert found is not None
    assert [each["nature"] for each in found["signed_values"]] == [nature]


def test_what_ocpi_has_no_room_for_is_left_out_and_never_cut() -> None:
    assert signed_data(*named("x" * (SIGNED_MAX + 1))) is None
    found = signed_data(*named("x" * SIGNED_MAX, "y" * (SIGNED_MAX + 1)))
    assert found is not None
    assert [each["signed_data"] for each in found["signed_values"]] == ["x" * SIGNED_MAX]
    assert signed_data(None, {}) is None


def test_where_all_of_it_can_be_seen_is_told_beside_what_ocpi_has_room_for() -> None:
    signed, frames = named("x", "y" * (SIGNED_MAX + 1))
    found = signed_data(signed, frames, "https://check.example/1")

    assert found is not None
    SignedData.model_validate(found)
    assert [each["signed_data"] for each in found["signed_values"]] == ["x"]
    assert found["url"] == "https://check.example/1"
    signed, frames = named("y" * (SIGNED_MAX + 1))
    assert signed_data(signed, frames, "https://check.example/1") is None
