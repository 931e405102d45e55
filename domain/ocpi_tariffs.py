"""The tariff of a CDR as OCPI 2.2.1 or 2.3.0 writes it, from the document that was registered.

The two versions name limits and taxes differently; a tariff that says something which the other
version cannot say is refused, not bent.
"""

import json
from decimal import Decimal
from typing import Any

from schemas.ocpi_cdr import Version

_LIMITS = ("min_price", "max_price")


class TariffUnsayable(Exception):
    """The version has no way to say it; the message says what."""


def ocpi_tariff(
    document: bytes, version: Version, *, country_code: str, party_id: str, last_updated: str
) -> dict[str, Any]:
    """Raise `TariffUnsayable`. The party and the time stand in where the document names none."""
    tariff: dict[str, Any] = json.loads(document, parse_float=Decimal)
    tariff = {
        "country_code": country_code,
        "party_id": party_id,
        **tariff,
    }
    tariff.setdefault("last_updated", last_updated)
    included = tariff.pop("tax_included", None)
    if version == "2.2.1":
        if included == "YES":
            raise TariffUnsayable("prices that include tax")
        if any("taxes" in component for component in _components(tariff)):
            raise TariffUnsayable("taxes by name")
    else:
        tariff["tax_included"] = included or "NO"
    for name in _LIMITS:
        if isinstance(limit := tariff.get(name), dict):
            tariff[name] = _limit(limit, version)
    return tariff


def _components(tariff: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        component
        for element in tariff.get("elements", ())
        for component in element.get("price_components", ())
    ]


def _limit(limit: dict[str, Any], version: Version) -> dict[str, Any]:
    excl = limit.get("excl_vat", limit.get("before_taxes"))
    incl = limit.get("incl_vat", limit.get("after_taxes"))
    names = ("excl_vat", "incl_vat") if version == "2.2.1" else ("before_taxes", "after_taxes")
    told = zip(names, (excl, incl), strict=True)
    return {name: amount for name, amount in told if amount is not None}
