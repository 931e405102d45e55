"""A tariff that was changed in a running transaction (OCPP 2.1, I11): what follows is priced by it.

From the station's acceptance on, by our clock: it tells no time of its own. A tariff for which we
have no words leaves the price of what follows unknown.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from domain.pricing import TariffChange
from domain.tariff_for_stations import NotSayable, from_station

ACTION = "ChangeTransactionTariff"
CHANGES_MAX = 16
"""Of a transaction; a driver is not sold more."""


class ChangedTariff(Struct, frozen=True, kw_only=True):
    at_us: int
    offset: int
    """Of the answer that accepted it."""
    tariff: bytes
    """As the station was told it."""


def changed_by(request: Any, answer: Any, at_us: int, offset: int) -> ChangedTariff | None:
    """Return the change that the station has accepted; None: it has not."""
    if not isinstance(request, dict) or not isinstance(answer, dict):
        return None
    if answer.get("status") != "Accepted" or not isinstance(request.get("tariff"), dict):
        return None
    tariff = msgspec.json.Encoder(decimal_format="number").encode(request["tariff"])
    return ChangedTariff(at_us=at_us, offset=offset, tariff=tariff)


def price_changes(changes: Sequence[ChangedTariff]) -> tuple[TariffChange, ...] | None:
    """Return them for pricing; None: one of them cannot be read."""
    made: list[TariffChange] = []
    for change in changes:
        try:
            tariff = from_station(_decode(change.tariff))
        except NotSayable:
            return None
        if made and made[-1].at_us >= change.at_us:
            made.pop()  # The later one of the same moment is the one that was sold.
        made.append(TariffChange(change.at_us, tariff))
    return tuple(made)


_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
