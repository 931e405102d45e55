"""What a station may say and be asked while we have not accepted it (1.6, 4.2; 2.0.1, B01-B03).

Whether it is accepted is what its last BootNotification was answered, and that is what the
registration's attribute `boot_policy` said then. A station that never booted here is served:
nothing obliges it to boot again after a reconnect. While it is Pending or Rejected it may boot, and
Pending it may also say what we asked it for. Whatever it says of money is kept and answered.
Pending it is not asked to begin or end a transaction, and Rejected nothing, but in 2.x to boot.
"""

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from domain.answering import Context
from domain.commands import payload_in
from domain.registry import Registry
from domain.station import OpenCall, Station
from schemas.records import VERSION_16
from schemas.tolerance import MONEY

ACCEPTED, PENDING, REJECTED = "Accepted", "Pending", "Rejected"
STATUSES = (ACCEPTED, PENDING, REJECTED)
HELD_BACK = frozenset({PENDING, REJECTED})

BOOT_RETRY_S = 60
"""After Pending or Rejected. Often enough that a person who accepts it need not wait."""

_REPORTS = {
    "NotifyReport": ("GetBaseReport", "GetReport"),
    "NotifyMonitoringReport": ("GetMonitoringReport",),
}
"""What a pending station reports because of a command that it accepted (2.0.1, B02)."""

_OF_TRANSACTIONS = frozenset(
    {
        "RemoteStartTransaction", "RemoteStopTransaction",
        "RequestStartTransaction", "RequestStopTransaction",
    }
)  # fmt: skip
"""What a pending station is not asked (1.6, 4.2; 2.0.1, B02.FR.05)."""

_TRIGGERS = ("TriggerMessage", "ExtendedTriggerMessage")


def boot_policy(registry: Registry, station: Station) -> str:
    """Return the status that the next boot gets; what is no status means Accepted."""
    registered = registry.stations.get((station.tenant, station.station))
    wanted = registered.attributes.get("boot_policy") if registered is not None else None
    return wanted if wanted in STATUSES else ACCEPTED


def interval(context: Context, status: str) -> int:
    """Return the seconds until the next heartbeat, or the next boot of who is not accepted.

    The same station is always told the same; all together they are spread, so that a fleet that
    was started at once does not come at once ever after.
    """
    policy, station = context.policy, context.station
    seconds = policy.heartbeat_interval_s if status == ACCEPTED else BOOT_RETRY_S
    place = crc32(f"{station.tenant}/{station.station}".encode()) / 0xFFFFFFFF
    return max(1, round(seconds * (1 + (2 * place - 1) * policy.spread_percent / 100)))


def may_say(station: Station, call: OpenCall) -> bool:
    """Whether the station may make this CALL now."""
    status, action = station.boot_status, call.action
    if status not in HELD_BACK or action == "BootNotification" or action in MONEY:
        return True
    return status == PENDING and _is_asked_for(station, action)


def refusal(boot_status: str, version: str, action: str, payload: Mapping[str, Any]) -> str:
    """Return why a station whose last boot was answered so is not asked this; empty: it may be.

    Of a rejected one 1.6 wants no message at all, 2.x only a trigger of its boot (B03.FR.08).
    """
    if boot_status == REJECTED:
        wants_boot = action == "TriggerMessage" and _wants(payload, "BootNotification")
        is_refused = version == VERSION_16 or not wants_boot
    else:
        is_refused = boot_status == PENDING and action in _OF_TRANSACTIONS
    return f"refused: the station is {boot_status}" if is_refused else ""


def _is_asked_for(station: Station, action: str) -> bool:
    for command in station.commands.values():
        if command.dispatched < 0:
            continue
        if command.action in _REPORTS.get(action, ()):
            return True
        if command.action in _TRIGGERS and _wants(payload_in(command.payload), action):
            return True
    return False


def _wants(payload: Mapping[str, Any], action: str) -> bool:
    wanted = payload.get("requestedMessage")
    if action == "SignCertificate":
        # SignChargePointCertificate, SignV2GCertificate, SignCombinedCertificate, …
        return isinstance(wanted, str) and wanted.startswith("Sign")
    return bool(wanted == action)
