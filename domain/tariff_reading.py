"""From an OCPI tariff document, of 2.2.1 or 2.3.0, to the model. Exact, or an error with a field.

Numbers are read as decimals. A float is refused: somebody has already rounded it. A decimal in
quotation marks is read. Members that OCPI does not define are no part of a price and are ignored,
and a null is an absent member.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from domain.tariff import PriceComponent, Restrictions, Tariff, TariffElement

_WHERE = re.compile(r"^(?P<reason>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(\w+)`")
_FIELDS = {
    field
    for each in (Tariff, TariffElement, PriceComponent, Restrictions)
    for field in each.__struct_fields__
}
_LIMITS = (("excl_vat", "incl_vat"), ("before_taxes", "after_taxes"))


class TariffInvalid(ValueError):
    """A tariff document that cannot be read: which field of it, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field or 'tariff'}: {reason}")
        self.field = field
        self.reason = reason


def read_tariff(document: str | bytes | Mapping[str, Any]) -> Tariff:
    """Raise `TariffInvalid`, naming the field, where the document is no tariff."""
    if isinstance(document, (str, bytes)):
        try:
            document = json.loads(document, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            raise TariffInvalid("", f"no JSON: {error}") from error
    if not isinstance(document, Mapping):
        raise TariffInvalid("", "no JSON object")
    members = _without_nulls(document, "")
    for name in ("min_price", "max_price"):
        if name in members:
            members[name] = _limit(members[name], name)
    try:
        return msgspec.convert(members, type=Tariff)
    except msgspec.ValidationError as error:
        raise _named(str(error)) from error


def _without_nulls(value: Any, path: str) -> Any:
    if isinstance(value, float):
        raise TariffInvalid(path, "a float is not exact; parse numbers as decimals")
    if isinstance(value, Mapping):
        return {
            name: _without_nulls(each, f"{path}.{name}" if path else str(name))
            for name, each in value.items()
            if each is not None
        }
    if isinstance(value, (list, tuple)):
        return [_without_nulls(each, f"{path}[{i}]") for i, each in enumerate(value)]
    return value


def _limit(value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        raise TariffInvalid(name, "a limit is an object with an amount excluding tax")
    for excl, incl in _LIMITS:
        if excl in value:
            known = {"excl": value[excl]}
            return known | {"incl": value[incl]} if incl in value else known
    raise TariffInvalid(f"{name}.before_taxes", "missing (excl_vat in OCPI 2.2.1)")


def _named(message: str) -> TariffInvalid:
    match = _WHERE.match(message)
    assert match is not None
    path, reason = match["path"] or "", match["reason"]
    missing = _MISSING.search(reason)
    if missing:
        return TariffInvalid(".".join(filter(None, (path, missing[1]))), "missing")
    first = reason.split(" ", 1)[0]
    if first in _FIELDS and not path.endswith(first):
        return TariffInvalid(".".join(filter(None, (path, first))), reason)
    return TariffInvalid(path, reason)
