"""What a station's registration says about what is possible there. Unknown: None, never a guess.

Attributes `max_power_w` (of the station), `register_modulus_wh` (where its registers wrap),
`connectors` (how many there are) and `commissioned_at` (RFC 3339; before it nothing happened).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from domain.readings import read_integer, read_time
from schemas.attributes import CONNECTORS, MAX_POWER_W, REGISTER_MODULUS_WH

EARLIEST_US = 1_420_070_400_000_000
"""2015-01-01. No transaction that is told to us was before it: such a clock was never set."""

CONNECTOR_MAX = 65_535
"""Of a station, as it numbers its EVSEs and connectors. What is past it, or negative, is none."""


class Limits(NamedTuple):
    max_power_w: int | None = None
    register_modulus_wh: int | None = None
    connectors: int | None = None
    commissioned_us: int = EARLIEST_US


UNKNOWN = Limits()


def is_place(*numbers: int) -> bool:
    """Whether these may number EVSEs or connectors; 0 is the station as a whole."""
    return all(0 <= number <= CONNECTOR_MAX for number in numbers)


def limits_of(attributes: Mapping[str, Any]) -> Limits:
    if not attributes:
        return UNKNOWN
    commissioned = read_time(attributes.get("commissioned_at"))[0]
    return Limits(
        _positive(attributes.get(MAX_POWER_W)),
        _positive(attributes.get(REGISTER_MODULUS_WH)),
        _positive(attributes.get(CONNECTORS)),
        EARLIEST_US if commissioned is None else max(commissioned, EARLIEST_US),
    )


def _positive(value: Any) -> int | None:
    number = read_integer(value)[0]
    return number if number is not None and number > 0 else None
