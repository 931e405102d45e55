"""Signed meter values: containers that meters made, published by the SAFE initiative."""

import base64
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from domain import ocmf, signatures
from domain.calibration import Calibration, MeterKey, calibration_of, judge
from domain.signed_values import (
    KEPT_MAX,
    SignedEnergy,
    SignedValue,
    container,
    keep,
    signed_energy,
    signed_texts,
)

_FILE = Path(__file__).parents[1] / "data" / "ocmf_containers.jsonl"
CONTAINERS: dict[str, list[dict[str, str]]] = {
    Path(made["source"]).stem: made["containers"]
    for made in map(json.loads, _FILE.read_text().splitlines())
}
KEBA = CONTAINERS["test_ocmf_keba_kcp30"][0]


def valued(texts: Sequence[str]) -> list[SignedValue]:
    return [
        SignedValue(offset=7, path=f"/3/transactionData/0/sampledValue/{i}/value", text=text)
        for i, text in enumerate(texts)
    ]


def said(
    texts: Sequence[str],
    keys: Sequence[str | MeterKey],
    *,
    calibrated: bool = True,
    reported_wh: int | None = None,
    id_token: str = "",
    at: int | None = None,
) -> SignedEnergy:
    values = valued(texts)
    registered = tuple(MeterKey(key=key) if isinstance(key, str) else key for key in keys)
    verdicts = judge(values, Calibration(calibrated, registered), evse=1, at=at)
    return signed_energy(
        values,
        {verdict.container: verdict.validity for verdict in verdicts},
        is_calibrated=calibrated,
        id_token=id_token,
        reported_wh=reported_wh,
    )


def of(name: str, *, reported_wh: int | None = None, id_token: str = "") -> SignedEnergy:
    made = CONTAINERS[name]
    texts = [one["text"] for one in made]
    return said(texts, [made[0]["key"]], reported_wh=reported_wh, id_token=id_token)


@pytest.mark.parametrize(
    ("name", "energy_wh", "flags", "is_usable"),
    [
        ("test_ocmf_keba_kcp30", "0.1", ["SIGNATURE_VALID"], True),
        ("test_ocmf_keba_kcp30_fail", "0.1", ["SIGNATURE_INVALID"], False),
        ("test_ocmf_ebee_01", "0", ["SIGNATURE_VALID"], True),
        ("test_ocmf_ebee_02", "-10", ["METER_REGRESSION", "SIGNATURE_INVALID"], False),
        ("ocmf_tariff_1", "0", ["SIGNATURE_VALID", "SIGNED_TIME_UNSYNCED"], True),
        ("ocmf_sec", "0", ["SIGNATURE_VALID"], True),
        ("nistP384_0Wh", "0", ["SIGNATURE_VALID"], True),
        ("brainpoolP256r1", "0", ["SIGNATURE_VALID"], True),
        ("VW_OCMF_load", "1101", ["SIGNATURE_VALID"], True),
        (
            "test_ocmf_transaction_two_values",
            "9123.1",
            ["SIGNATURE_VALID", "SIGNED_EXCEPTION"],
            False,
        ),
        (
            "20211007-device-with-evt-ocmf-sss-ses",
            "0",
            ["SIGNATURE_VALID", "SIGNED_ERROR_FLAGS", "SIGNED_TIME_UNSYNCED"],
            False,
        ),
    ],
)
def test_what_published_containers_say(
    name: str, energy_wh: str, flags: list[str], is_usable: bool
) -> None:
    told = of(name)
    assert told.energy_wh == Decimal(energy_wh)
    assert [flag for flag in told.flags if flag != "SIGNED_TOKEN_MISMATCH"] == flags
    assert told.is_usable is is_usable


def test_a_key_on_another_curve_than_the_signature_names_makes_it_invalid() -> None:
    begin, end = CONTAINERS["second_key_fail_ocmf"]
    told = said([begin["text"], end["text"]], [end["key"]])
    assert "SIGNATURE_INVALID" in told.flags


def rsa_key() -> str:
    public = rsa.generate_private_key(65537, 2048).public_key()
    return public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    ).hex()


def test_a_key_that_no_ecdsa_has_verifies_nothing() -> None:
    key = rsa_key()
    assert not signatures.is_key(key)
    found = ocmf.read(KEBA["text"])
    assert found is not None
    validity = signatures.verify(
        found.signed, found.signature, algorithm=found.algorithm, encoding="hex", key=key
    )
    assert validity == "unverifiable"


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_changed_digit_is_noticed(name: str) -> None:
    one = CONTAINERS[name][0]
    found = ocmf.read(one["text"])
    assert found is not None
    for before, after in (('"RV":', '"RV":1'), ('"ST":"G"', '"ST":"E"'), ("202", "203")):
        changed = found.signed.replace(before, after)
        validity = signatures.verify(
            changed,
            found.signature,
            algorithm=found.algorithm,
            encoding=found.encoding,
            key=one["key"],
        )
        assert changed == found.signed or validity == "invalid"


def test_the_difference_is_exact() -> None:
    energy = of("test_ocmf_keba_kcp30").energy_wh
    assert energy is not None
    assert str(energy.normalize()) == "0.1"


def test_a_container_that_brings_its_own_key_is_not_verified_by_it() -> None:
    told = said([KEBA["text"]], [])
    assert told.flags == ("SIGNATURE_UNVERIFIED",)
    assert not told.is_usable


def test_where_calibration_law_does_not_bind_an_unverified_value_is_only_flagged() -> None:
    assert said([KEBA["text"]], [], calibrated=False).flags == ("SIGNATURE_UNVERIFIED",)


def test_nothing_signed_where_calibration_law_binds() -> None:
    assert said([], [KEBA["key"]]).flags == ("SIGNED_INCOMPLETE",)
    assert said([], [KEBA["key"]], calibrated=False).flags == ()


def test_a_begin_alone_is_no_difference() -> None:
    one = CONTAINERS["test_ocmf_ebee_01"][0]
    told = said([one["text"]], [one["key"]])
    assert told.energy_wh is None
    assert told.flags == ("SIGNATURE_VALID", "SIGNED_INCOMPLETE", "SIGNED_TOKEN_MISMATCH")


def test_a_begin_and_an_end_of_two_meters_are_no_difference() -> None:
    begin, end = CONTAINERS["test_ocmf_ebee_01"][0], CONTAINERS["brainpoolP256r1"][1]
    told = said([begin["text"], end["text"]], [begin["key"]])
    assert told.energy_wh is None
    assert "SIGNED_INCONSISTENT" in told.flags


def test_pagination_does_not_run_backwards() -> None:
    begin, end = (one["text"] for one in CONTAINERS["test_ocmf_ebee_01"])
    told = said([begin.replace('"T28"', '"T30"'), end], [])
    assert "SIGNED_INCONSISTENT" in told.flags


def test_the_reported_difference_may_differ_by_a_watt_hour() -> None:
    assert "SIGNED_MISMATCH" not in of("VW_OCMF_load", reported_wh=1102).flags
    told = of("VW_OCMF_load", reported_wh=1103)
    assert "SIGNED_MISMATCH" in told.flags
    assert not told.is_usable


def test_the_token_that_was_signed_is_compared_without_case() -> None:
    assert "SIGNED_TOKEN_MISMATCH" not in of("test_ocmf_ebee_01", id_token="7BCF78AD").flags
    assert "SIGNED_TOKEN_MISMATCH" in of("test_ocmf_ebee_01", id_token="TAG1").flags


def test_a_key_speaks_for_its_meter_and_time() -> None:
    text, key = KEBA["text"], KEBA["key"]
    other = MeterKey(key=CONTAINERS["VW_OCMF_load"][0]["key"], meter="17619300")
    assert said([text], [other, key]).flags == ("SIGNATURE_INVALID",)
    theirs = MeterKey(key=key, meter="17619300", valid_from=100, valid_until=200)
    assert said([text], [theirs], at=150).flags == ("SIGNATURE_VALID",)
    assert said([text], [theirs], at=200).flags == ("SIGNATURE_UNVERIFIED",)
    assert said([text], [theirs], at=99).flags == ("SIGNATURE_UNVERIFIED",)
    assert said([text], [MeterKey(key=key, evse=2)]).flags == ("SIGNATURE_UNVERIFIED",)


def test_registrations_name_keys_by_meter_or_one_for_all() -> None:
    key = KEBA["key"]
    told = calibration_of(
        {
            "eichrecht": True,
            "public_key_hex": key,
            "public_keys": [
                {"key": key, "meter": "M1", "evse": 2, "valid_until": "2026-01-01T00:00:00Z"},
                {"key": "no key"},
                "nothing",
            ],
        }
    )
    assert told.is_calibrated
    assert [(each.meter, each.evse) for each in told.keys] == [("M1", 2), ("", None)]
    assert calibration_of({}) == Calibration()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: text,
        lambda text: f"\n  {text}\n",
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: text.encode().hex(),
        lambda text: json.dumps({"signedMeterData": base64.b64encode(text.encode()).decode()}),
        lambda text: json.dumps({"signedMeterValue": text, "encodingMethod": "OCMF"}),
    ],
)
def test_a_container_is_found_in_every_wrapping(wrap: object) -> None:
    assert callable(wrap)
    found = container(wrap(KEBA["text"]))
    assert found is not None
    assert found.signed == KEBA["text"].split("|")[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1B1B1B1B0101010176050000001B6201",
        "OCMF|{}",
        "OCMF|{}|",
        "OCMF|[]|{}",
        'OCMF|{"RD":[{"RV":NaN}]}|{}',
        "OCMF|" + "[" * 100_000,
        "{",
        '{"signedMeterData":5}',
        'OCMF|{"RD":[{"RV":' + "9" * 5_000 + "}]}|{}",
    ],
)
def test_what_is_no_container_is_kept_and_not_verified(text: str) -> None:
    assert container(text) is None
    assert said([text], [KEBA["key"]]).flags == ("SIGNATURE_UNVERIFIED", "SIGNED_INCOMPLETE")


def test_a_bar_within_the_payload_is_part_of_it() -> None:
    found = ocmf.read('OCMF|{"TT":"a|b","RD":[]} |{"SD":"00"}|key')
    assert found is not None
    assert found.signed == '{"TT":"a|b","RD":[]} '


def test_a_reading_inherits_what_it_lacks_but_not_its_value() -> None:
    text = (
        'OCMF|{"PG":"T1","MS":"M","RD":[{"TM":"2026-01-01T00:00:00,000+0100 S","TX":"B","RV":1.5,'
        '"RI":"01-00:B2.08.00*FF","RU":"kWh","ST":"G"},{"TX":"E"},{"RV":2}]}|{"SD":"00"}'
    )
    found = ocmf.read(text)
    assert found is not None
    assert [reading.value_wh for reading in found.readings] == [1500, None, 2000]
    assert {reading.at for reading in found.readings} == {1_767_222_000_000_000}


def test_export_power_and_time_are_no_import_register() -> None:
    readings = [
        {"TX": "B", "RV": 1, "RI": code, "RU": unit}
        for code, unit in [("1-0:2.8.0", "kWh"), ("1-b:1.9.0", "kWh"), ("1-b:1.8.0", "sec")]
    ]
    found = ocmf.read(f'OCMF|{json.dumps({"RD": readings})}|{{"SD":""}}')
    assert found is not None
    assert found.readings == ()


def test_only_what_decides_is_kept_and_each_once() -> None:
    kept: list[SignedValue] = []
    begin, end = (one["text"] for one in CONTAINERS["test_ocmf_ebee_01"])
    assert keep(kept, valued([begin, begin, begin.replace('"TX":"B"', '"TX":"C"'), end]))
    assert not keep(kept, valued([begin]))
    assert [value.text for value in kept] == [begin, end]
    keep(kept, valued([f"unreadable {n}" for n in range(100)]))
    assert len(kept) == KEPT_MAX


def test_signed_values_are_found_in_both_versions() -> None:
    of_16 = [{"sampledValue": [{"value": "1"}, {"value": "S", "format": "SignedData"}]}]
    of_2 = [{"sampledValue": [{"value": 1, "signedMeterValue": {"signedMeterData": "S"}}]}]
    assert signed_texts("", of_16, "/3/transactionData") == (
        ("/3/transactionData/0/sampledValue/1/value", "S"),
    )
    assert signed_texts("", of_2, "/3/meterValue") == (
        ("/3/meterValue/0/sampledValue/0/signedMeterValue/signedMeterData", "S"),
    )
    for frame in (json.dumps(of_16), json.dumps(of_16).replace("Signed", "\\u0053igned")):
        found = signed_texts(frame, json.loads(frame), "/3/meterValue")
        assert [text for _, text in found] == ["S"]
    assert (
        signed_texts("", None, "/3/meterValue") == signed_texts("", [5, {}], "/3/meterValue") == ()
    )
