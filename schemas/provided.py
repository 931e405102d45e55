"""What of stations' CALLs somebody else may answer, and how an operator says which of them are.

It is said for all stations by a setting, and for one by an attribute of its registration.
"""

from collections.abc import Mapping
from typing import Final

_ANY = frozenset({"DataTransfer"})
_ANY_2 = _ANY | {
    "Authorize",
    "Get15118EVCertificate",
    "GetCertificateStatus",
    "NotifyEVChargingNeeds",
}

PROVIDABLE: Final[Mapping[str, frozenset[str]]] = {
    "1.6": _ANY,
    "2.0.1": _ANY_2,
    "2.1": _ANY_2
    | {"GetCertificateChainStatus", "PullDynamicScheduleUpdate", "VatNumberValidation"},
}
"""OCPP version → actions of stations to which only others may know the answer.

Authorize with a contract certificate, that is: id tokens are in the registry.
"""

ATTRIBUTE: Final = "provided"
"""Of a registration: in place of what is set for all stations."""

NONE: Final = "none"

_ACTIONS = frozenset.union(*PROVIDABLE.values())

MEANT: Final = f"{NONE}, or any of {', '.join(sorted(_ACTIONS))}"
"""What such a text may say."""


def actions_in(text: str) -> frozenset[str]:
    """Return the actions that a text names, with commas between them; "none" and "" name none.

    Raises:
        ValueError: an action that nobody else may answer, or that is none.
    """
    names = frozenset(name.strip() for name in text.split(",")) - {"", NONE}
    if unknown := names - _ACTIONS:
        raise ValueError(f"{', '.join(sorted(unknown))}: {MEANT}")
    return names
