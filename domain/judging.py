"""When what was signed of a transaction is judged, and the record that says it. Pure.

Keys are reference data, so the owner judges, once a transaction has ended; and again, while it is
not released, when something more was signed or its station's registration names other keys.
"""

from msgspec import Struct, json

from domain.calibration import NAMES, Calibration, calibration_of, judge
from domain.registry import Registry
from domain.signed_values import digest
from domain.station import Station
from domain.transaction import Transaction
from schemas.records import SignaturesJudged


class Meters(Struct, frozen=True):
    """What is registered of a station's meters, and the digest of it."""

    calibration: Calibration
    registration: str


_NOTHING = Meters(Calibration(), "")


def next_unjudged(station: Station, registry: Registry) -> tuple[Transaction, Meters] | None:
    """Return the transaction that is to be judged now, with what is registered."""
    meters = None
    for transaction in station.transactions.known.values():
        if transaction.released or not transaction.is_ended or transaction.is_no_show:
            continue
        if meters is None:
            meters = _meters(station, registry)
        if _is_due(transaction, meters):
            return transaction, meters
    return None


def verdict(
    station: Station, due: tuple[Transaction, Meters], *, now: int, epoch: int, registry: int
) -> SignaturesJudged:
    transaction, meters = due
    return SignaturesJudged(
        tenant=station.tenant,
        station=station.station,
        recorded_at=now,
        cause=transaction.ended,
        purpose=f"signatures-{transaction.revision}",
        epoch=epoch,
        registry=registry,
        transaction_id=transaction.transaction_id,
        is_calibrated=meters.calibration.is_calibrated,
        registration=meters.registration,
        verdicts=judge(
            transaction.signed,
            meters.calibration,
            evse=transaction.evse_id,
            at=transaction.ended_at,
        ),
    )


def _is_due(t: Transaction, meters: Meters) -> bool:
    if t.judged < 0:
        return bool(t.signed) or meters.calibration.is_calibrated
    return t.judged_by != meters.registration or any(
        digest(value.text) not in t.verdicts for value in t.signed
    )


def _meters(station: Station, registry: Registry) -> Meters:
    registered = registry.stations.get((station.tenant, station.station))
    told = {
        name: registered.attributes[name]
        for name in NAMES
        if registered is not None and name in registered.attributes
    }
    if not told:
        return _NOTHING
    return Meters(calibration_of(told), digest(json.encode(told).decode()))
