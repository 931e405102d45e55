"""A released, priced CDR as a document: 20 kWh in 1.5 h, then half an hour of parking."""

from typing import Any

import msgspec

from schemas.released import Released, read_released

RELEASED_AT = "2026-03-10T18:15:00.250000Z"

TARIFF: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "TST",
    "id": "K25P",
    "currency": "EUR",
    "elements": [
        {
            "price_components": [
                {"type": "ENERGY", "price": 0.25, "step_size": 1, "vat": 10},
                {"type": "PARKING_TIME", "price": 2, "step_size": 1, "vat": 20},
            ]
        }
    ],
    "last_updated": "2026-01-01T00:00:00Z",
}
LOCATION: dict[str, Any] = {
    "id": "L1",
    "time_zone": "Europe/Amsterdam",
    "address": "Damrak 1",
    "city": "Amsterdam",
    "postal_code": "1012LG",
    "country": "NLD",
    "country_code": "NL",
    "party_id": "TST",
    "coordinates": {"latitude": "52.37", "longitude": "4.89512345"},
    "stations": [
        {
            "station": "CP1",
            "evses": [
                {
                    "evse": 1,
                    "uid": "e1",
                    "evse_id": "NL*TST*E1",
                    "connectors": [
                        {
                            "connector": 1,
                            "standard": "IEC_62196_T2",
                            "format": "SOCKET",
                            "power_type": "AC_3_PHASE",
                        }
                    ],
                }
            ],
        }
    ],
}


def document(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "id": "fb69cc14-5a2b-5a23-9531-df175b900a12",
        "revision": 3,
        "state": "FINAL",
        "tenant": "default",
        "station": "CP1",
        "evse": 1,
        "connector": 1,
        "transaction_id": "1473281946",
        "id_token": "04E91C5A123B80",
        "started_at": "2026-03-10T16:00:00Z",
        "ended_at": "2026-03-10T18:00:00Z",
        "meter_start_wh": 1000,
        "meter_stop_wh": 21000,
        "energy_wh": 20000,
        "energy_bounds_wh": None,
        "stop_reason": "EVDisconnected",
        "flags": [],
        "positions": {"start": "1:4", "stop": "1:9"},
        "total_time_s": "7200",
        "total_parking_time_s": "1800",
        "cost": {
            "currency": "EUR",
            "excl_vat": "6",
            "incl_vat": "6.7",
            "rounded": ["6.00", "6.70"],
            "energy": {"excl_vat": "5", "incl_vat": "5.5", "rounded": ["5.00", "5.50"]},
            "parking": {"excl_vat": "1", "incl_vat": "1.2", "rounded": ["1.00", "1.20"]},
            "taxes": [
                {
                    "name": "VAT",
                    "percentage": "10",
                    "taxed": "5",
                    "amount": "0.5",
                    "rounded": "0.50",
                },
                {
                    "name": "VAT",
                    "percentage": "20",
                    "taxed": "1",
                    "amount": "0.2",
                    "rounded": "0.20",
                },
            ],
            "billed_energy_wh": "20000",
        },
        "charging_periods": [
            {"start_date_time": "2026-03-10T16:00:00Z", "energy_wh": "20000", "time_s": "5400"},
            {
                "start_date_time": "2026-03-10T17:30:00Z",
                "energy_wh": "0",
                "parking_time_s": "1800",
            },
        ],
        "tariff": {"id": "K25P", "position": "0:3", "document": dict(TARIFF)},
        "location": {"position": "0:4", "document": LOCATION},
    }
    return {**plain, **changes}


def released(**changes: Any) -> Released:
    return read_released(msgspec.json.encode(document(**changes)))


def credited() -> Released:
    plain = document()
    plain["cost"] |= {"excl_vat": "-6", "incl_vat": "-6.7", "rounded": ["-6.00", "-6.70"]}
    return read_released(
        msgspec.json.encode(
            {
                **plain,
                "id": "0b9f11f2-7d54-5a0e-8f4a-8a4f5f6a3c11",
                "kind": "credit",
                "sequence": 1,
                "credit": True,
                "credit_reference_id": plain["id"],
            }
        )
    )
