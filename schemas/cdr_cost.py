"""What a CDR says of money: amounts, and what they were made of.

Exact amounts are decimals as text: to the last digit where there is one, else to ten digits.
`rounded` is the pair (excluding tax, including tax) in the minor unit of the currency, rounded once
at the total; parts and taxes are rounded so that they add up to it. An amount excluding tax is null
where prices include a tax that the tariff does not name.
"""

from msgspec import Raw, Struct

RoundedPair = tuple[str | None, str]


class CostPart(Struct, frozen=True, kw_only=True):
    excl_vat: str | None
    incl_vat: str
    rounded: RoundedPair


class CostTax(Struct, frozen=True, kw_only=True):
    """A tax by name and percentage; both null: the tax in what a limit added or took."""

    name: str | None
    percentage: str | None
    taxed: str
    amount: str
    rounded: str


class CdrCost(Struct, frozen=True, kw_only=True, omit_defaults=True):
    currency: str
    excl_vat: str | None
    incl_vat: str
    rounded: RoundedPair
    energy: CostPart | None = None
    time: CostPart | None = None
    parking: CostPart | None = None
    fixed: CostPart | None = None
    reservation: CostPart | None = None
    limit: CostPart | None = None
    """What min_price added, or max_price took."""
    limit_applied: str | None = None
    taxes: tuple[CostTax, ...] = ()
    billed_energy_wh: str = "0"
    """With what the step added; so are the others."""
    billed_time_s: str = "0"
    billed_parking_s: str = "0"
    billed_reservation_s: str = "0"


class CdrPeriod(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch with one activity and the same prices; it ends where the next one begins."""

    start_date_time: str
    energy_wh: str
    time_s: str = "0"
    """Charging."""
    parking_time_s: str = "0"
    """The vehicle asked for no power."""
    unpriced_s: str = "0"
    """Neither: before the first charging, or the station paused the vehicle."""


class TariffSnapshot(Struct, frozen=True, kw_only=True):
    id: str
    position: str
    """ "partition:offset" of the record that registered this version."""
    document: Raw
    """As it was registered."""


class LocationSnapshot(Struct, frozen=True, kw_only=True):
    position: str
    document: Raw
    """As it was registered, of its stations only the one of this CDR."""
