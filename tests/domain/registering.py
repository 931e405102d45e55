"""What people register, for the tests of money: each record at the next offset of the registry."""

from typing import Any

import msgspec
from msgspec import Raw

from domain.registry import Registry
from schemas.records import (
    LocationPut,
    Record,
    StationRegistered,
    TariffAssigned,
    TariffPut,
    TariffRemoved,
)
from tests.domain.log import NOW

Json = dict[str, Any]
_encode = msgspec.json.Encoder(decimal_format="number").encode


def document(tariff_id: str, price: str = "0.25", vat: str = "10", **members: Any) -> Json:
    """A tariff with one price per kWh, or with the elements that `members` names."""
    component = {"type": "ENERGY", "price": Raw(price.encode()), "step_size": 1}
    component["vat"] = Raw(vat.encode())
    return {
        "country_code": "NL",
        "party_id": "TST",
        "id": tariff_id,
        "currency": "EUR",
        "elements": [{"price_components": [component]}],
        "last_updated": "2026-01-01T00:00:00Z",
        **members,
    }


class Registrar:
    def __init__(self) -> None:
        self.registry = Registry()
        self.records: list[Record] = []

    def put(self, record: Record) -> int:
        offset = len(self.records)
        self.records.append(record)
        self.registry.fold(offset, record)
        return offset

    def tariff(self, told: Json, valid_from: int = 0, tenant: str = "default") -> int:
        return self.put(
            TariffPut(
                tenant=tenant,
                recorded_at=NOW,
                actor="billing",
                tariff_id=told["id"],
                valid_from=valid_from,
                tariff=Raw(_encode(told)),
            )
        )

    def removed(self, tariff_id: str, valid_from: int = 0) -> int:
        return self.put(
            TariffRemoved(
                tenant="default",
                recorded_at=NOW,
                actor="billing",
                tariff_id=tariff_id,
                valid_from=valid_from,
            )
        )

    def assigned(self, tariff_id: str, valid_from: int = 0, **scope: Any) -> int:
        return self.put(
            TariffAssigned(
                tenant="default",
                recorded_at=NOW,
                actor="billing",
                tariff_id=tariff_id,
                valid_from=valid_from,
                **scope,
            )
        )

    def location(self, location_id: str, zone: str, *stations: str, recorded_at: int = NOW) -> int:
        told = {
            "id": location_id,
            "time_zone": zone,
            "stations": [{"station": each} for each in stations],
        }
        return self.put(
            LocationPut(
                tenant="default",
                recorded_at=recorded_at,
                actor="operations",
                location_id=location_id,
                location=Raw(_encode(told)),
            )
        )

    def station(self, station: str, **attributes: Any) -> int:
        return self.put(
            StationRegistered(
                tenant="default",
                station=station,
                recorded_at=NOW,
                actor="operations",
                attributes=attributes,
            )
        )


def energy_priced(price: str = "0.25") -> Registrar:
    """The tenant's sessions cost so much per kWh, since ever."""
    registrar = Registrar()
    registrar.tariff(document("K", price))
    registrar.assigned("K")
    return registrar
