"""A command that would lower a station's security profile is refused: 422, NoSecurityDowngrade."""

from typing import Any

import msgspec

from api.ports import Ports
from api.problems import FieldError, Invalid
from api.wanted import Asked
from domain.security_profiles import (
    MAY_LOWER,
    PROFILE,
    is_lower,
    may_concern,
    profiles_in,
    told_profile,
)
from projections.commands import find_command
from projections.station_state import find_state
from projections.stations import StationDetail


async def refuse_downgrade(
    ports: Ports, detail: StationDetail, asked: Asked, command_id: str
) -> None:
    """
    Raises:
        Invalid: it gives the station a lower profile than the station has, as far as it told. A
            command that was taken before is what it was.
    """
    tenant, station = detail.station.tenant, detail.station.station
    if not may_concern(asked.action, asked.payload):
        return
    if await find_command(ports.db, tenant, command_id) is not None:
        return

    async def held(facet: str, **fitting: Any) -> list[dict[str, Any]]:
        found = await find_state(ports.db, tenant, station, facet, fitting=fitting)
        return [msgspec.json.decode(each.item, type=dict[str, Any]) for each in found]

    told = await held("variables", variable=PROFILE, attribute="Actual")
    profiles = [told_profile(each) for each in told]
    present = max((each for each in profiles if each is not None), default=_shown_by(detail))
    allowed = await held("variables", variable=MAY_LOWER, value="true")
    slots = {
        each["slot"]: each["security_profile"]
        for each in await held("network-profiles")
        if isinstance(each.get("security_profile"), int)
    }
    lower = [
        FieldError(f"payload.{member}", f"lower than the security profile it has: {present}")
        for member, wanted in profiles_in(asked.action, asked.payload, slots)
        if is_lower(wanted, present, asked.version, may_lower=bool(allowed))
    ]
    if lower:
        raise Invalid(*lower)


def _shown_by(detail: StationDetail) -> int:
    """Return the least that it has, where it did not say: with a password it is no less than 1."""
    connection = detail.connection
    return 1 if connection is not None and connection.proof == "basic" else 0
