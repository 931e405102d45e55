"""From a released CDR to OCPI's, of 2.2.1 or 2.3.0. Pure; what cannot be said truly is refused.

OCPI requires a cost, both times and a whole location, so an unpriced CDR, or one whose place nobody
has described, has no OCPI form. Volumes are rounded along the session, so that those of the periods
add up to the totals; amounts are the exact ones, to 4 decimals. Before anything is given out it is
priced again from its own periods, and checked against the rules of `schemas.ocpi_cdr`.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import msgspec

from domain.ocpi_signed_data import SignedMissing, signed_data
from domain.ocpi_tariffs import TariffUnsayable, ocpi_tariff
from domain.pricing_money import half_up
from domain.pricing_session import Reservation
from domain.readings import read_time
from domain.repricing_check import reprices
from domain.reserved_time import EXPIRED, reservation_told
from schemas.location import LocatedEvse, Location, decode_location
from schemas.ocpi_cdr import Version, violation
from schemas.released import Released, ReleasedCost, ReleasedPart, ReleasedPeriod, Snapshot

NO_FRAMES: Mapping[str, str] = {}
DECIMALS = 4
"""Of numbers in OCPI, where a field does not say otherwise."""

_HOUR_S = 3600
_TOKEN_TYPES = {
    "central": "APP_USER",
    "directpayment": "AD_HOC_USER",
    "emaid": "EMAID",
    "iso14443": "RFID",
    "iso15693": "RFID",
}
_encode = msgspec.json.Encoder(decimal_format="number").encode


class NotInOcpi(Exception):
    """It has no form in OCPI; `reason` is one word for counting, the message says more."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


def ocpi_document(
    cdr: Released,
    version: Version,
    released_at: str,
    frames: Mapping[str, str] = NO_FRAMES,
    signed_url: str = "",
) -> bytes:
    """Return it as JSON, members in OCPI's order. Raise `NotInOcpi`.

    `frames`: those in which its signed values stand, by position. `signed_url`: where a driver can
    check them, `{id}` for the id of the CDR.
    """
    return _encode(ocpi_cdr(cdr, version, released_at, frames, signed_url))


def ocpi_cdr(
    cdr: Released,
    version: Version,
    released_at: str,
    frames: Mapping[str, str] = NO_FRAMES,
    signed_url: str = "",
) -> dict[str, Any]:
    if cdr.cost is None or cdr.tariff is None:
        raise NotInOcpi("unpriced")
    if cdr.started_at is None or cdr.ended_at is None:
        raise NotInOcpi("no-times")
    is_no_show = EXPIRED in cdr.flags
    if cdr.energy_wh is None or cdr.total_time_s is None:
        raise NotInOcpi("no-energy")
    if not (cdr.charging_periods or is_no_show):
        raise NotInOcpi("no-energy")
    reservation = reservation_told(cdr.flags, cdr.reserved_from, cdr.reserved_until)
    periods = _periods(cdr.charging_periods, cdr.tariff.id)
    if reservation is not None or is_no_show:
        periods.insert(0, _reserved(cdr, reservation))
    has_session_id = 0 < len(cdr.transaction_id) <= 36 and not is_no_show
    location, evse = _place(cdr)
    if not reprices(cdr, location.time_zone):
        raise NotInOcpi("price-differs", "its own periods and tariff give another price")
    document = {
        "country_code": location.country_code,
        "party_id": location.party_id,
        "id": cdr.id,
        "start_date_time": periods[0]["start_date_time"],
        "end_date_time": date_time(cdr.ended_at),
        **({"session_id": cdr.transaction_id} if has_session_id else {}),
        "cdr_token": {
            "country_code": location.country_code,
            "party_id": location.party_id,
            "uid": cdr.id_token,
            "type": _token_type(cdr, version),
            "contract_id": cdr.id_token,
        },
        "auth_method": cdr.auth_method or "WHITELIST",
        "cdr_location": _location(location, evse, cdr.connector),
        **_meter(cdr),
        "currency": cdr.cost.currency,
        "tariffs": [_tariff(cdr.tariff, version, location, released_at)],
        "charging_periods": periods,
        **_signed(cdr, frames, signed_url.replace("{id}", cdr.id)),
        **_costs(cdr.cost, version),
        "total_energy": _four(Fraction(cdr.energy_wh) / 1000),
        "total_time": _four(Fraction(cdr.total_time_s) / _HOUR_S),
        "total_parking_time": _four(Fraction(cdr.total_parking_time_s or 0) / _HOUR_S),
        **({"remark": cdr.stop_reason[:255]} if cdr.stop_reason else {}),
        **_credit(cdr),
        "last_updated": date_time(released_at),
    }
    if broken := violation(version, document):
        raise NotInOcpi("against-the-rules", broken)
    return document


def _token_type(cdr: Released, version: Version) -> str:
    """Return OCPI's TokenType of a type of OCPP.

    1.6 tells none: what was presented at the station is a card, what we sent there may be anything.
    """
    if not cdr.id_token_type:
        return "OTHER" if cdr.auth_method == "COMMAND" else "RFID"
    found = _TOKEN_TYPES.get(cdr.id_token_type.casefold(), "OTHER")
    return "OTHER" if found == "EMAID" and version == "2.2.1" else found


def date_time(text: str) -> str:
    """Return the moment as OCPI's DateTime, which has room for 4 digits of a second."""
    moment, _ = read_time(text)
    if moment is None:
        raise NotInOcpi("no-times")
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return f"{whole}.{fraction[:DECIMALS]}Z" if fraction.strip("0") else f"{whole}Z"


def _four(value: Fraction) -> Decimal:
    return half_up(value, DECIMALS)


def _place(cdr: Released) -> tuple[Location, LocatedEvse]:
    if cdr.location is None:
        raise NotInOcpi("no-location")
    try:
        location = decode_location(bytes(cdr.location.document))
    except msgspec.MsgspecError as error:
        raise NotInOcpi("no-location") from error
    evse = location.evse(cdr.station, cdr.evse)
    if evse is None or location.coordinates is None:
        raise NotInOcpi("no-location", "its EVSE or its coordinates are not registered")
    return location, evse


def _location(location: Location, evse: LocatedEvse, connector: int) -> dict[str, Any]:
    plugs = [each for each in evse.connectors if connector in (each.connector, 0)]
    plug = plugs[0] if len(plugs) == 1 else None  # 0: whichever the EVSE has.
    if plug is None or location.coordinates is None:
        raise NotInOcpi("no-location", "its connector is not registered")
    optional = {
        "name": location.name,
        "postal_code": location.postal_code,
        "state": location.state,
    }
    told = {name: text for name, text in optional.items() if text}
    return {
        "id": location.id,
        **({"name": told["name"]} if "name" in told else {}),
        "address": location.address,
        "city": location.city,
        **{name: told[name] for name in ("postal_code", "state") if name in told},
        "country": location.country,
        "coordinates": {
            "latitude": _degrees(location.coordinates.latitude),
            "longitude": _degrees(location.coordinates.longitude),
        },
        "evse_uid": evse.uid or evse.evse_id,
        "evse_id": evse.evse_id,
        "connector_id": str(plug.connector),
        "connector_standard": plug.standard,
        "connector_format": plug.format,
        "connector_power_type": plug.power_type,
    }


def _degrees(text: str) -> str:
    """GeoLocation has 5 to 7 decimals: more are rounded, fewer filled up."""
    try:
        value = Decimal(text)
    except ArithmeticError as error:
        raise NotInOcpi("no-location", "its coordinates are no numbers") from error
    exponent = value.as_tuple().exponent
    digits = min(7, max(5, -exponent)) if isinstance(exponent, int) else 5
    return f"{value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"


def _meter(cdr: Released) -> dict[str, Any]:
    meters = {value.meter for value in cdr.signed.values} if cdr.signed is not None else set()
    return {"meter_id": meters.pop()} if len(meters) == 1 and "" not in meters else {}


def _credit(cdr: Released) -> dict[str, Any]:
    if cdr.credit_reference_id is None:
        return {}
    return {"credit": True, "credit_reference_id": cdr.credit_reference_id}


def _tariff(
    snapshot: Snapshot, version: Version, location: Location, released_at: str
) -> dict[str, Any]:
    try:
        return ocpi_tariff(
            bytes(snapshot.document),
            version,
            country_code=location.country_code,
            party_id=location.party_id,
            last_updated=date_time(released_at),
        )
    except TariffUnsayable as error:
        raise NotInOcpi("tariff-of-another-version", str(error)) from error


def _periods(periods: Sequence[ReleasedPeriod], tariff_id: str) -> list[dict[str, Any]]:
    sums = {"ENERGY": Fraction(0), "TIME": Fraction(0), "PARKING_TIME": Fraction(0)}
    found = []
    for period in periods:
        volumes = {
            "ENERGY": Fraction(period.energy_wh) / 1000,
            "TIME": Fraction(period.time_s) / _HOUR_S,
            "PARKING_TIME": Fraction(period.parking_time_s) / _HOUR_S,
        }
        dimensions = []
        for kind, volume in volumes.items():
            before = _four(sums[kind])
            sums[kind] += volume
            rounded = _four(sums[kind]) - before
            if volume or kind == "TIME":
                dimensions.append({"type": kind, "volume": rounded})
        found.append(
            {
                "start_date_time": date_time(period.start_date_time),
                "dimensions": dimensions,
                **({"tariff_id": tariff_id} if tariff_id else {}),
            }
        )
    return found


def _signed(cdr: Released, frames: Mapping[str, str], url: str) -> dict[str, Any]:
    try:
        found = signed_data(cdr.signed, frames, url)
    except SignedMissing as error:
        raise NotInOcpi("signed-values-missing", str(error)) from error
    return {} if found is None else {"signed_data": found}


def _reserved(cdr: Released, reservation: Reservation | None) -> dict[str, Any]:
    """Return the time that was reserved as the first period; 0 where it was used after all."""
    span = 0 if reservation is None else reservation.end_us - reservation.start_us
    hours = _four(Fraction(span, 1_000_000 * _HOUR_S))
    return {
        "start_date_time": date_time(cdr.reserved_from or cdr.started_at or ""),
        "dimensions": [{"type": "RESERVATION_TIME", "volume": hours}],
        **({"tariff_id": cdr.tariff.id} if cdr.tariff and cdr.tariff.id else {}),
    }


def _costs(cost: ReleasedCost, version: Version) -> dict[str, Any]:
    total = ReleasedPart(cost.excl_vat, cost.incl_vat, cost.rounded)
    parts = {
        "total_cost": total,
        "total_fixed_cost": cost.fixed,
        "total_energy_cost": cost.energy,
        "total_time_cost": cost.time,
        "total_parking_cost": cost.parking,
        "total_reservation_cost": cost.reservation,
    }
    return {
        name: _price(part, cost, version, is_total=part is total)
        for name, part in parts.items()
        if part is not None
    }


def _price(
    part: ReleasedPart, cost: ReleasedCost, version: Version, *, is_total: bool
) -> dict[str, Any]:
    if part.excl_vat is None:
        raise NotInOcpi("no-price-without-tax", "the tariff does not name the tax it includes")
    excl, incl = Fraction(part.excl_vat), Fraction(part.incl_vat)
    if version == "2.2.1":
        return {"excl_vat": _four(excl), "incl_vat": _four(incl)}
    taxes = _taxes(cost) if is_total else []
    tax = _four(incl) - _four(excl)
    if not taxes and tax:
        taxes = [{"name": _tax_name(cost), "amount": tax}]
    if taxes:  # What rounding each of them left over.
        taxes[-1]["amount"] += tax - sum(each["amount"] for each in taxes)
    return {"before_taxes": _four(excl), "taxes": taxes}


def _taxes(cost: ReleasedCost) -> list[dict[str, Any]]:
    sign = -1 if cost.incl_vat.startswith("-") else 1
    return [
        {
            "name": tax.name or "limit",
            **({"percentage": Decimal(tax.percentage)} if tax.percentage is not None else {}),
            "amount": _four(sign * Fraction(tax.amount)),
        }
        for tax in cost.taxes
        if Fraction(tax.amount)
    ]


def _tax_name(cost: ReleasedCost) -> str:
    names = {tax.name for tax in cost.taxes if tax.name}
    return names.pop() if len(names) == 1 else "VAT"
