"""Corrections of released CDRs: a credit that gives the old one back, and one in its place. Pure.

A credit has all that the CDR has which it gives back; only its total cost is negated, and energy,
times and parts keep their sign (OCPI, CDRs, credit). Sums over CDRs go by `kind`.
"""

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec.structs import replace

from domain.cost_document import negated
from schemas.cdr import Cdr, Decided, correction_id

_decode = msgspec.json.Decoder(Cdr).decode


def document_of(body: bytes) -> Cdr:
    """Raise msgspec.MsgspecError for what is no CDR."""
    return _decode(body)


def differs(released: Cdr, present: Cdr) -> bool:
    """Whether what is owed, or for what, is another than was released."""
    return _owed(released) != _owed(present)


def doubts(released: Cdr, present: Cdr, overruled: Collection[str] = ()) -> tuple[str, ...]:
    """Return what holds the present one and no person has overruled, then or since."""
    return tuple(sorted({*present.holds} - {*released.holds} - {*overruled}))


def may_replace(released: Cdr, present: Cdr, overruled: Collection[str] = ()) -> bool:
    return not doubts(released, present, overruled) and _is_complete(present)


def credit_of(
    released: Cdr, original_id: str, revision: int, causes: Collection[str], decided: Decided | None
) -> Cdr:
    sequence = released.sequence + 1
    return replace(
        released,
        id=correction_id(original_id, sequence),
        revision=revision,
        kind="credit",
        sequence=sequence,
        credit=True,
        credit_reference_id=released.id,
        replaces=None,
        cost=None if released.cost is None else negated(released.cost),
        causes=tuple(causes),
        decided=decided,
    )


def replacement_of(
    released: Cdr,
    present: Cdr,
    original_id: str,
    revision: int,
    causes: Collection[str],
    decided: Decided | None,
) -> Cdr:
    sequence = released.sequence + 2
    return replace(
        present,
        id=correction_id(original_id, sequence),
        revision=revision,
        state="FINAL",
        kind="replacement",
        sequence=sequence,
        credit=False,
        credit_reference_id=None,
        replaces=released.id,
        causes=tuple(causes),
        decided=decided,
    )


def _is_complete(cdr: Cdr) -> bool:
    return None not in (cdr.energy_wh, cdr.started_at, cdr.ended_at)


def _owed(cdr: Cdr) -> tuple[Any, ...]:
    cost = cdr.cost
    money = None if cost is None else (cost.currency, cost.excl_vat, cost.incl_vat, cost.rounded)
    return cdr.id_token, cdr.started_at, cdr.ended_at, cdr.energy_wh, money
