"""What is told after a release and is in doubt: it corrects nothing until a person overrules it."""

from domain.corrections import document_of
from schemas.cdr import Cdr
from schemas.cdr import cdr_id as cdr_id_of
from schemas.records import CdrActionRefused, CdrCorrected, CdrDoubtOverruled
from tests.domain.log import stop
from tests.domain.registering import energy_priced
from tests.domain.test_corrections import Site
from tests.domain.test_transaction import meter_values


def charged() -> tuple[Site, Cdr]:
    site = Site(energy_priced())
    return site, site.charges()


def test_a_second_stop_that_differs_is_overruled_with_a_reason_and_changes_nothing() -> None:
    site, released = charged()
    site.says("StopTransaction", stop(int(released.transaction_id), 9500, "2026-11-23T10:30:00Z"))
    assert site.decided(CdrCorrected) == []

    record = site.asks("overrule", released.transaction_id, released.id)

    assert isinstance(record, CdrDoubtOverruled)
    assert (record.doubts, record.actor, record.reason) == (
        ("CONFLICTING_STOP",),
        "key:ann",
        "because",
    )
    site.passes(86_400)
    assert site.decided(CdrCorrected) == []
    again = site.asks("overrule", released.transaction_id, released.id)
    assert isinstance(again, CdrActionRefused)
    assert "in doubt" in again.reason


def test_what_the_doubt_held_back_is_corrected_once_it_is_overruled() -> None:
    """The true stop of a session released by an estimate comes, and then another one."""
    site = Site(energy_priced(), 900)
    transaction_id = site.starts()
    site.says("MeterValues", meter_values(transaction_id, ("2026-11-23T09:30:00Z", "5000")))
    cdr_id = site.worker.station.transactions.known[str(transaction_id)]
    end = site.log.now
    site.asks("release", transaction_id, its_id(transaction_id), energy_wh=8000, ended_at=end)
    assert cdr_id.released
    for register in (9400, 9900):
        site.says("StopTransaction", stop(transaction_id, register, "2026-11-23T11:00:00Z"))
    site.passes(86_400)
    assert site.decided(CdrCorrected) == []

    assert isinstance(
        site.asks("overrule", transaction_id, its_id(transaction_id)), CdrDoubtOverruled
    )
    site.passes(900)

    [corrected] = site.decided(CdrCorrected)
    replacement = document_of(bytes(corrected.replacement))
    assert replacement.energy_wh == 8400
    assert "CONFLICTING_STOP" in replacement.holds


def its_id(transaction_id: int) -> str:
    return cdr_id_of("default", "CP1", str(transaction_id))


def test_what_is_in_no_doubt_is_not_overruled() -> None:
    site, released = charged()
    for transaction_id, cdr in ((released.transaction_id, released.id), ("7", "other")):
        refused = site.asks("overrule", transaction_id, cdr)
        assert isinstance(refused, CdrActionRefused)
