"""CALLs that somebody else answers: certificates of ISO 15118, VAT numbers, a maker's own. Pure.

Whoever issues contract certificates, knows which are revoked, or plans a site's energy is a
provider: it sees the CALL through the API, and says there what the station is told. The CALL waits
for that in the log, so that a replay gives the same answer; the station's other CALLs go on. When
nobody has answered in time, or the station has gone, it is answered as where there is no provider.
"""

from domain.admission import may_say
from domain.answering import Policy
from domain.authorization import has_contract_certificate
from domain.registry import Registry
from domain.station import OpenCall, Station, is_repeat, payload_of
from schemas.provided import ATTRIBUTE, PROVIDABLE, actions_in
from schemas.records import ProviderAsked

OPEN_MAX = 8
"""A station may have one CALL under way (OCPP-J, 4.1.1). With more open than this none waits."""

_OF_AN_EVSE = frozenset({"NotifyEVChargingNeeds", "VatNumberValidation"})

CLOCKS_APART_US = 5_000_000
"""Of the owners, at most. One that is further behind the asking had its clock set back."""


def is_wanted(
    call: OpenCall, station: Station, registry: Registry, policy: Policy, now: int
) -> bool:
    """Whether a provider is to be asked, who has not been."""
    if call.action not in PROVIDABLE.get(call.version, ()) or call.forwarded or call.error:
        return False
    if call.action not in _provided(station, registry, policy):
        return False
    if call.action == "Authorize" and not has_contract_certificate(payload_of(call)):
        return False
    if len(station.open_calls) > OPEN_MAX or now >= _expires_at(call, policy, now):
        return False
    return station.is_newest(call.connection) and may_say(station, call)


def is_waiting(call: OpenCall, station: Station, now: int) -> bool:
    """Whether a provider is asked, and has time left to answer.

    The same CALL sent again waits for the first. What tells the state of an EVSE does not wait any
    more once the station has told a newer one, which would be overwritten.
    """
    if len(station.open_calls) > OPEN_MAX:
        return False
    if len(station.open_calls) > 1:
        others = station.open_calls.values()
        if any(is_repeat(call, each) and each.forwarded for each in others):
            return True
        if call.forwarded and any(_overtakes(each, call) for each in others):
            return False
    forwarded = call.forwarded
    if forwarded is None or forwarded.answer or forwarded.is_over:
        return False
    if not forwarded.asked_at - CLOCKS_APART_US <= now < forwarded.expires_at:
        return False
    return station.is_newest(call.connection)


def _overtakes(call: OpenCall, earlier: OpenCall) -> bool:
    if call.action not in _OF_AN_EVSE or call.action != earlier.action or call.error:
        return False
    if call.offset <= earlier.offset or call.connection != earlier.connection:
        return False
    is_other = call.frame != earlier.frame
    return is_other and payload_of(call).get("evseId") == payload_of(earlier).get("evseId")


def ask(
    call: OpenCall, station: Station, policy: Policy, now: int, known: tuple[int, int]
) -> ProviderAsked:
    """`known`: the epoch, and how much of the registry the decision knew."""
    return ProviderAsked(
        tenant=station.tenant,
        station=station.station,
        recorded_at=now,
        cause=call.offset,
        purpose="ask-provider",
        epoch=known[0],
        registry=known[1],
        expires_at=_expires_at(call, policy, now),
    )


def _expires_at(call: OpenCall, policy: Policy, now: int) -> int:
    # An ingress node's clock may be ahead of ours.
    return min(now, call.recorded_at) + policy.provider_answer_us


def _provided(station: Station, registry: Registry, policy: Policy) -> frozenset[str]:
    registered = registry.stations.get((station.tenant, station.station))
    wanted = registered.attributes.get(ATTRIBUTE) if registered is not None else None
    if not isinstance(wanted, str):
        return policy.provided
    try:
        return actions_in(wanted)
    except ValueError:
        return policy.provided
