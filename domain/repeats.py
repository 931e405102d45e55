"""Members that stand twice in a money message, and the doubt about its bill. Pure.

The last one counts (`schemas.tolerance`, REPEATED_MEMBER). Nobody knows that it is the one that was
meant, so where they differ and a bill may depend on it, a person decides.
"""

from domain.readings import SCHEMA_DEVIATION
from schemas.frames import repeated_members

AMBIGUOUS_VALUE = "AMBIGUOUS_VALUE"

_PLACE = {"connectorid", "evse", "evseid", "id", "location"}
_TOKEN = {"idtag", "idtoken", "type", "reservationid", "remotestartid"}
_ORDER = {"transactionid", "transactioninfo", "eventtype", "seqno"}
_TIME = {"timestamp", "offline", "chargingstate"}
_REGISTER = {"meterstart", "meterstop", "transactiondata", "metervalue", "sampledvalue", "value"}
_MEASURE = {"unit", "unitofmeasure", "multiplier", "measurand", "context", "phase", "format"}
_SIGNED = {"signedmetervalue", "signedmeterdata"}
_COST = {
    "costdetails",
    "totalcost",
    "total",
    "excltax",
    "incltax",
    "currency",
    "failuretocalculate",
}
_OF_A_BILL = _PLACE | _TOKEN | _ORDER | _TIME | _REGISTER | _MEASURE | _SIGNED | _COST
"""In any case: the members of which a bill is made, in all versions."""


def doubts_of(frame: str) -> tuple[str, ...]:
    """Return the flags of a message of which members stand twice."""
    repeated = repeated_members(frame)
    if any(differ and name.casefold() in _OF_A_BILL for name, differ in repeated.items()):
        return (SCHEMA_DEVIATION, AMBIGUOUS_VALUE)
    return (SCHEMA_DEVIATION,) if repeated else ()
