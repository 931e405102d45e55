"""Network connection profiles that a station took (2.0.1, B09): all but their secrets.

Passwords, keys and the identity stay out, and so does what a URL carries beside its place.
"""

from collections.abc import Iterator

from domain.holdings import Change, Telling, put
from domain.members import Value, integer_of, members, object_of, place_of, text_of


def was_set(telling: Telling) -> Iterator[Change]:
    """SetNetworkProfile."""
    slot = integer_of(telling.request, "configurationSlot")
    if not telling.is_accepted or slot is None:
        return
    data = object_of(telling.request, "connectionData")
    apn, vpn = object_of(data, "apn"), object_of(data, "vpn")
    value: Value = {
        "slot": slot,
        "csms_url": place_of(text_of(data, "ocppCsmsUrl")),
        **members(
            data,
            "ocppVersion", "ocppInterface", "ocppTransport", "messageTimeout", "securityProfile",
        ),
        "apn": members(apn, "apn", "apnAuthentication", "preferredNetwork") or None,
        "vpn": members(vpn, "type", "server") or None,
        "has_password": "basicAuthPassword" in data,
    }  # fmt: skip
    yield put("network-profiles", slot, value)
