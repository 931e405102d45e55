"""What was released never changes: what comes later is a credit and a replacement, or nothing."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from domain.answering import Policy
from domain.transactions import KEPT_MAX
from schemas.cdr import Cdr, canonical, cdr_id, correction_id, digest
from schemas.records import (
    NO_DOCUMENT,
    CdrActionRefused,
    CdrActionRequested,
    CdrCorrected,
    CdrRejected,
    CdrReleased,
    OwnerRecord,
)
from tests.domain.log import SECOND, Worker, start, stop, working
from tests.domain.registering import Registrar, document, energy_priced
from tests.domain.test_transaction import begin, meter_values

SETTLE_S = 900
DAY_US = 86_400 * SECOND
_cdr = msgspec.json.Decoder(Cdr).decode


class Site:
    """One station, its log and its owner, and the registry that prices it."""

    def __init__(self, registrar: Registrar, settle_s: int = 0) -> None:
        self.registrar = registrar
        policy = Policy(accept_unknown_tokens=True, settle_us=settle_s * SECOND)
        self.log, self.worker = working(policy, registrar.registry)
        self._asked = 0

    def says(self, action: str, payload: dict[str, Any]) -> None:
        self.log.calls(action, payload)
        self.worker.settle()

    def starts(self, **fields: Any) -> int:
        return begin(self.log, self.worker, **fields)

    def charges(self, day: int = 23, energy: int = 8000) -> Cdr:
        transaction_id = self.starts(at=f"2026-11-{day:02}T09:00:00Z")
        self.says(
            "StopTransaction", stop(transaction_id, 1000 + energy, f"2026-11-{day:02}T10:00:00Z")
        )
        return self.released()[-1]

    def passes(self, seconds: int) -> None:
        self.log.now += seconds * SECOND
        self.worker.settle()

    def asks(self, action: str, transaction_id: int | str, cdr_id: str, **more: Any) -> OwnerRecord:
        """A person asks; return what the owner made of it."""
        self._asked += 1
        fields: dict[str, Any] = {"document": NO_DOCUMENT, "reason": "because", **more}
        self.log.append(
            CdrActionRequested(
                tenant="default",
                station="CP1",
                recorded_at=self.log.now,
                request_id=f"r{self._asked}",
                action=action,
                transaction_id=str(transaction_id),
                cdr_id=cdr_id,
                actor="key:ann",
                **fields,
            ),
            writer="api",
        )
        before = len(self.log.values)
        self.worker.settle()
        assert not self.worker.station.cdr_requests
        decided = [self.log.read(offset) for offset in range(before, len(self.log.values))]
        [record] = [r for r in decided if isinstance(r, OwnerRecord)]
        return record

    def decided(self, kind: type[OwnerRecord]) -> list[Any]:
        found = [self.log.read(offset) for offset in range(len(self.log.values))]
        return [record for record in found if isinstance(record, kind)]

    def released(self) -> list[Cdr]:
        """Every document that is promised to billing, in the order of the log."""
        documents: list[Cdr] = []
        for offset in range(len(self.log.values)):
            record = self.log.read(offset)
            if isinstance(record, CdrReleased):
                documents.append(_cdr(record.document))
            elif isinstance(record, CdrCorrected):
                documents += [_cdr(record.credit), _cdr(record.replacement)]
        return documents


def site_with_a_lost_stop(settle_s: int = 0) -> tuple[Site, int, str]:
    """A session whose stop never came; the next one began on the connector."""
    site = Site(energy_priced(), settle_s)
    transaction_id = site.starts()
    site.says("MeterValues", meter_values(transaction_id, ("2026-11-23T09:30:00Z", "5000")))
    site.starts(meter_start=9500, at="2026-11-23T12:00:00Z")
    return site, transaction_id, cdr_id("default", "CP1", str(transaction_id))


def test_a_person_releases_a_session_without_a_stop_by_an_estimate() -> None:
    site, transaction_id, its_cdr = site_with_a_lost_stop()
    end = site.log.now
    record = site.asks("release", transaction_id, its_cdr, energy_wh=8000, ended_at=end)

    assert isinstance(record, CdrReleased)
    [released] = site.released()
    assert (released.energy_wh, released.ended_at) == (8000, "2026-11-23T10:00:00Z")
    assert released.cost is not None
    assert released.cost.rounded == ("2.00", "2.20")
    assert {"ESTIMATED_END", "MISSING_STOP"} <= set(released.holds)
    assert released.decided is not None
    assert (released.decided.actor, released.decided.reason) == ("key:ann", "because")
    assert digest(bytes(record.document)) == record.sha256


def test_the_true_stop_after_an_estimate_makes_a_credit_and_a_replacement() -> None:
    site, transaction_id, its_cdr = site_with_a_lost_stop(SETTLE_S)
    site.asks("release", transaction_id, its_cdr, energy_wh=8000, ended_at=site.log.now)
    site.says("StopTransaction", stop(transaction_id, 9400, "2026-11-23T11:00:00Z"))
    too_soon = site.decided(CdrCorrected)
    site.passes(SETTLE_S)
    original, credit, replacement = site.released()

    assert too_soon == []
    assert [each.kind for each in (original, credit, replacement)] == [
        "original",
        "credit",
        "replacement",
    ]
    assert credit.credit_reference_id == replacement.replaces == original.id
    assert (credit.energy_wh, replacement.energy_wh) == (8000, 8400)
    assert credit.cost is not None
    assert replacement.cost is not None
    assert (credit.cost.rounded, replacement.cost.rounded) == (
        ("-2.00", "-2.20"),
        ("2.10", "2.31"),
    )
    assert not replacement.holds
    [record] = site.decided(CdrCorrected)
    told = site.log.read(record.cause)
    assert "StopTransaction" in str(told)
    assert credit.causes == replacement.causes == (f"1:{record.cause}",)


def test_a_credit_is_its_original_but_for_what_it_says_of_itself_and_the_total() -> None:
    site, transaction_id, its_cdr = site_with_a_lost_stop()
    site.asks("release", transaction_id, its_cdr, energy_wh=8000, ended_at=site.log.now)
    site.says("StopTransaction", stop(transaction_id, 9400, "2026-11-23T11:00:00Z"))
    original, credit, _ = site.released()
    own = {"id", "revision", "kind", "sequence", "credit", "credit_reference_id", "causes"}
    changed = {
        name for name in Cdr.__struct_fields__ if getattr(original, name) != getattr(credit, name)
    }

    assert changed == own | {"cost", "decided"}
    assert original.cost is not None
    assert credit.cost is not None
    totals = {"excl_vat", "incl_vat", "rounded"}
    assert {
        name
        for name in type(credit.cost).__struct_fields__
        if getattr(original.cost, name) != getattr(credit.cost, name)
    } == totals


def test_a_late_reading_that_splits_otherwise_is_a_correction_and_one_that_does_not_is_none() -> (
    None
):
    registrar = Registrar()
    day, night = ({"type": "ENERGY", "price": Decimal(p), "step_size": 1} for p in ("0.2", "0.3"))
    elements = [
        {"price_components": [day], "restrictions": {"end_time": "10:30"}},
        {"price_components": [night]},
    ]
    registrar.tariff(document("K", elements=elements))
    registrar.assigned("K")
    registrar.location("HQ", "Europe/Amsterdam", "CP1", recorded_at=0)
    site = Site(registrar)
    first = site.charges()
    transaction_id = int(first.transaction_id)
    site.says("MeterValues", meter_values(transaction_id, ("2026-11-23T09:30:00Z", "5000")))
    same = site.decided(CdrCorrected)
    other = Site(registrar)
    transaction_id = int(other.charges().transaction_id)
    other.says("MeterValues", meter_values(transaction_id, ("2026-11-23T09:30:00Z", "7000")))
    original, _, replacement = other.released()

    assert "INTERPOLATED" in first.flags
    assert same == []
    assert original.cost is not None
    assert replacement.cost is not None
    assert (original.cost.incl_vat, replacement.cost.incl_vat) == ("2", "1.8")
    assert "INTERPOLATED" not in replacement.flags


def test_a_repeat_after_the_release_corrects_nothing() -> None:
    site = Site(energy_priced())
    released = site.charges()
    site.says("StopTransaction", stop(int(released.transaction_id), 9000))
    site.says("StartTransaction", start())

    assert site.released() == [released]


def test_a_doubt_that_comes_after_the_release_changes_nothing_by_itself() -> None:
    site = Site(energy_priced())
    released = site.charges()
    late = meter_values(int(released.transaction_id), ("2026-11-23T09:50:00Z", "9900"))
    site.says("MeterValues", late)

    assert site.released() == [released]


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({}, "its energy is not known: say energy_wh"),
        ({"energy_wh": 3999, "ended_at": "now"}, "outside what the registers allow: 4000 to 8500"),
        ({"energy_wh": 8501, "ended_at": "now"}, "outside what the registers allow: 4000 to 8500"),
        ({"energy_wh": 8000, "ended_at": 0}, "its end is not known: say ended_at"),
        ({"energy_wh": 8000, "ended_at": "now", "tariff_id": "none"}, "no such tariff was valid"),
    ],
)
def test_a_release_without_what_it_takes_is_refused_with_the_reason(
    asked: dict[str, Any], refusal: str
) -> None:
    site, transaction_id, its_cdr = site_with_a_lost_stop()
    if asked.get("ended_at") == "now":
        asked = {**asked, "ended_at": site.log.now}
    record = site.asks("release", transaction_id, its_cdr, **asked)

    assert isinstance(record, CdrActionRefused)
    assert refusal in record.reason
    assert site.released() == []


def test_a_running_transaction_is_ended_by_a_person_only_with_energy_and_end() -> None:
    site = Site(energy_priced())
    transaction_id = site.starts()
    refused = site.asks("release", transaction_id, "x", energy_wh=100)
    rejected = site.asks("reject", transaction_id, "x")
    done = site.asks("release", transaction_id, "x", energy_wh=100, ended_at=site.log.now)

    assert isinstance(refused, CdrActionRefused)
    assert isinstance(rejected, CdrActionRefused)
    assert isinstance(done, CdrReleased)


def test_a_session_without_a_tariff_is_released_by_one_that_is_named() -> None:
    registrar = Registrar()
    registrar.tariff(document("K"))
    site = Site(registrar)
    transaction_id = site.starts()
    site.says("StopTransaction", stop(transaction_id, 9000))
    registrar.tariff(document("L", "0.5"))
    record = site.asks("release", transaction_id, "x", tariff_id="L")
    site.says("StopTransaction", stop(transaction_id, 9000))

    assert isinstance(record, CdrReleased)
    [released] = site.released()
    assert released.cost is not None
    assert released.cost.incl_vat == "4.4"
    assert "TARIFF_MISSING" not in released.flags


def test_a_rejected_one_is_not_released_by_time_and_may_be_by_a_person() -> None:
    site, transaction_id, its_cdr = site_with_a_lost_stop()
    rejected = site.asks("reject", transaction_id, its_cdr)
    site.says("StopTransaction", stop(transaction_id, 9000, "2026-11-23T10:00:00Z"))
    site.passes(DAY_US // SECOND)
    before = site.released()
    record = site.asks("release", transaction_id, its_cdr)

    assert isinstance(rejected, CdrRejected)
    assert before == []
    assert isinstance(record, CdrReleased)


def test_an_archived_session_is_repriced_by_its_own_document() -> None:
    site = Site(energy_priced())
    first = site.charges(day=1)
    for day in range(2, 3 + 2 * KEPT_MAX):
        site.charges(day=day)
    assert first.transaction_id not in site.worker.station.transactions.known
    site.registrar.tariff(document("K", "0.1"))
    body = Raw(canonical(first))
    record = site.asks("reprice", first.transaction_id, first.id, document=body)
    again = site.asks("reprice", first.transaction_id, first.id, document=body)

    assert isinstance(record, CdrCorrected)
    replacement = _cdr(record.replacement)
    assert replacement.cost is not None
    assert replacement.cost.incl_vat == "0.88"
    assert replacement.id == correction_id(first.id, 2)
    assert isinstance(again, CdrActionRefused)
    assert "it was corrected before" in again.reason


def test_a_price_that_was_corrected_stays_when_more_is_told() -> None:
    site, transaction_id, its_cdr = site_with_a_lost_stop()
    site.asks("release", transaction_id, its_cdr, energy_wh=8000, ended_at=site.log.now)
    site.registrar.tariff(document("K", "0.1"))
    site.asks("reprice", transaction_id, its_cdr)
    site.says("StopTransaction", stop(transaction_id, 9000, "2026-11-23T10:00:01Z"))
    last = site.released()[-1]

    assert [each.sequence for each in site.released()] == [0, 1, 2, 3, 4]
    assert last.cost is not None
    assert last.cost.incl_vat == "0.88"


def test_an_owner_that_knows_less_of_the_registry_waits_until_it_knows_as_much() -> None:
    registrar = energy_priced()
    site = Site(registrar, SETTLE_S)
    transaction_id = site.starts()
    site.says("StopTransaction", stop(transaction_id, 9000))
    behind = Registrar()
    successor = Worker(
        site.log,
        "w2",
        Policy(accept_unknown_tokens=True, settle_us=SETTLE_S * SECOND),
        behind.registry,
    )
    successor.claim()
    site.log.now += SETTLE_S * SECOND
    successor.settle()
    too_soon = site.released()
    for record in registrar.records:
        behind.put(record)
    site.log.now += 2 * SECOND
    successor.settle()

    assert too_soon == []
    [released] = site.released()
    assert released.cost is not None
    assert released.cost.incl_vat == "2.2"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(["stop", "other stop", "sample", "release", "reject", "reprice", "tariff"]),
        max_size=10,
    )
)
def test_whatever_comes_every_released_document_stays_and_the_chain_adds_up(
    events: list[str],
) -> None:
    site, transaction_id, its_cdr = site_with_a_lost_stop()
    seen: list[Cdr] = []
    price = 10
    for event in events:
        latest = seen[-1].id if seen else its_cdr
        if event == "stop":
            site.says("StopTransaction", stop(transaction_id, 9000, "2026-11-23T10:30:00Z"))
        elif event == "other stop":
            site.says("StopTransaction", stop(transaction_id, 9300, "2026-11-23T10:45:00Z"))
        elif event == "sample":
            late = meter_values(transaction_id, ("2026-11-23T09:45:00Z", "7000"))
            site.says("MeterValues", late)
        elif event == "tariff":
            price += 1
            site.registrar.tariff(document("K", f"0.{price}"))
        else:
            more = {"energy_wh": 8000, "ended_at": site.log.now} if event == "release" else {}
            site.asks(event, transaction_id, latest, **more)
        now = site.released()
        assert now[: len(seen)] == seen
        seen = now

    assert [each.sequence for each in seen] == list(range(len(seen)))
    assert all(each.state == "FINAL" for each in seen)
    money = sum(
        (Decimal(each.cost.rounded[1]) for each in seen if each.cost is not None), Decimal(0)
    )
    assert money == (Decimal(seen[-1].cost.rounded[1]) if seen and seen[-1].cost else 0)
