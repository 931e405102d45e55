"""The page on CDRs lists every flag and field that exists, says which hold, and invents none."""

import re
from pathlib import Path

from domain import cdr_pricing
from domain.cdr_pricing import DOUBTS_OF_TIME
from domain.judgement import HOLDING
from schemas.cdr import Cdr

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/cdr.md").read_text("utf-8")
SPEAKERS = (
    "cdr",
    "cdr_pricing",
    "clocks",
    "judgement",
    "metering",
    "meter_values_16",
    "ocpp16",
    "ocpp2",
    "orphan_energy",
    "pricing_totals",
    "readings",
    "repeats",
    "reserved_time",
    "signed_values",
    "transaction",
    "transaction_effects",
    "transaction_events",
    "transaction_messages",
    "transactions",
)
"""The modules of which a CDR has its flags, and an orphan its reason."""

ORPHANED = {"STOP_UNKNOWN_TX", "TXID_MINUS_ONE_AMBIGUOUS"}

_FLAG = re.compile(r'"([A-Z]+(?:_[A-Z0-9]+)+|INTERPOLATED|OFFLINE|RECONSTRUCTED)"')
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (yes)? ?\|", re.MULTILINE)


def flags_in_code() -> set[str]:
    texts = [(ROOT / f"domain/{name}.py").read_text("utf-8") for name in SPEAKERS]
    return {flag for text in texts for flag in _FLAG.findall(text)}


def test_every_flag_is_explained_and_none_is_invented() -> None:
    told = {flag for flag, _ in _ROW.findall(PAGE)}

    # What holds a time-dependent tariff only is named below the table.
    assert told == flags_in_code() - ORPHANED - (DOUBTS_OF_TIME - told)


def test_the_page_says_which_flags_hold() -> None:
    assert {flag for flag, holds in _ROW.findall(PAGE) if holds} == HOLDING | cdr_pricing.HOLDING


def test_why_a_message_is_an_orphan_is_explained() -> None:
    assert flags_in_code() >= ORPHANED
    assert all(f"`{reason}`" in PAGE for reason in ORPHANED)


def test_every_field_is_explained() -> None:
    assert [name for name in Cdr.__struct_fields__ if f"`{name}`" not in PAGE] == []
