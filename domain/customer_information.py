"""What a station was asked about its customers (2.0.1, N09, N10): only whether it has told all.

What it told is personal: it stands in the log and is copied nowhere.
"""

from collections.abc import Iterator

from domain import reports
from domain.holdings import Change, Telling

KIND = "customer-information"


def report_asked(telling: Telling) -> Iterator[Change]:
    """CustomerInformation."""
    if telling.request.get("report") is True:
        yield from reports.asked(KIND, telling, whole=False)


def report_answered(telling: Telling) -> Iterator[Change]:
    yield from reports.refused(KIND, telling)


def reported(telling: Telling) -> Iterator[Change]:
    """NotifyCustomerInformation."""
    yield from reports.part(KIND, telling)
