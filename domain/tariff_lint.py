"""What in a tariff is probably not meant: sentences for the person who wrote it. Nothing is wrong
with such a tariff; it is priced as it says."""

from collections.abc import Iterator

from domain.tariff import Dimension, Restrictions, Tariff, TariffElement

_NONE = Restrictions()
_TIMES = (Dimension.TIME, Dimension.PARKING_TIME)


def warnings(tariff: Tariff) -> list[str]:
    found = [*_unreachable(tariff), *_free(tariff), *_steps(tariff), *_taxes(tariff)]
    for number, element in enumerate(tariff.elements, 1):
        found += [f"element {number}: {sentence}" for sentence in _element(element)]
    return found


def _unreachable(tariff: Tariff) -> Iterator[str]:
    always: dict[Dimension, int] = {}
    for number, element in enumerate(tariff.elements, 1):
        if element.restrictions.reservation is not None:
            continue
        for component in element.price_components:
            earlier = always.get(component.type)
            if earlier is not None:
                yield (
                    f"element {number} never prices {component.type}: element {earlier} comes"
                    " first and has no restriction"
                )
            elif element.restrictions == _NONE:
                always[component.type] = number


def _free(tariff: Tariff) -> Iterator[str]:
    priced: dict[Dimension, bool] = {}
    for element in tariff.elements:
        if element.restrictions.reservation is None:
            for component in element.price_components:
                is_always = element.restrictions == _NONE
                priced[component.type] = priced.get(component.type, False) or is_always
    for dimension, is_always in priced.items():
        if not is_always and dimension is not Dimension.FLAT:
            yield f"{dimension} is free wherever no restriction holds: no element prices the rest"


def _steps(tariff: Tariff) -> Iterator[str]:
    for number, element in enumerate(tariff.elements, 1):
        for component in element.price_components:
            if component.step_size > 1 and component.type is not Dimension.FLAT:
                unit = "s" if component.type in _TIMES else "Wh"
                yield (
                    f"element {number}: {component.type} is rounded up to"
                    f" {component.step_size} {unit}; OCPI recommends 1"
                )


def _taxes(tariff: Tariff) -> Iterator[str]:
    components = [each for element in tariff.elements for each in element.price_components]
    taxed = sum(bool(component.rates) for component in components)
    if 0 < taxed < len(components):
        yield "some components name a tax and others none: none is not 0 %"
    if tariff.tax_included == "YES" and not taxed:
        yield "prices include taxes and none is named: the amount excluding tax is unknown"


def _element(element: TariffElement) -> Iterator[str]:
    limits = element.restrictions
    if limits.start_time is not None and limits.start_time == limits.end_time:
        yield "a window that ends where it begins is the whole day"
    for name in ("kwh", "current", "power", "duration"):
        low, high = getattr(limits, f"min_{name}"), getattr(limits, f"max_{name}")
        if low is not None and high is not None and low >= high:
            yield f"min_{name} is not below max_{name}: it never holds"
    first, after = limits.start_date, limits.end_date
    if first is not None and after is not None and first >= after:
        yield "end_date is exclusive and not after start_date: it never holds"
    seen: set[Dimension] = set()
    for component in element.price_components:
        if component.type in seen:
            yield f"a second {component.type} is never used"
        seen.add(component.type)
