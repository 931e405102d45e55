"""Who may do what: one table. A key has one role; a route asks for one right."""

from collections.abc import Mapping
from typing import Literal, get_args

Role = Literal["admin", "operator", "billing", "auditor", "reader", "provider"]
Right = Literal[
    "read-fleet",
    "read-conversation",
    "read-provider-requests",
    "read-transactions",
    "read-cdrs",
    "read-id-tokens",
    "read-tariffs",
    "command",
    "provide",
    "write-id-tokens",
    "write-stations",
    "write-tariffs",
    "release-cdrs",
    "read-metrics",
]
"""
read-fleet: stations, their connectors and commands, the live events; read-conversation: frames,
which hold personal data; read-provider-requests, provide: the CALLs that a provider answers, and
answering them; write-stations: registration and passwords; write-tariffs: tariffs, their
assignments and locations; release-cdrs: deciding about CDRs (release, reject, reprice, overrule);
read-metrics: figures of the whole deployment, which name no tenant and no station.
"""

ROLES: tuple[Role, ...] = get_args(Role)
EVERYTHING: frozenset[Right] = frozenset(get_args(Right))

RIGHTS: Mapping[Role, frozenset[Right]] = {
    "admin": EVERYTHING,
    "operator": frozenset(
        {
            "read-fleet",
            "read-conversation",
            "read-transactions",
            "read-cdrs",
            "read-id-tokens",
            "read-tariffs",
            "command",
            "read-provider-requests",
            "provide",
            "write-id-tokens",
            "release-cdrs",
        }
    ),
    "billing": frozenset(
        {
            "read-transactions",
            "read-cdrs",
            "read-id-tokens",
            "read-tariffs",
            "write-tariffs",
            "release-cdrs",
        }
    ),
    "auditor": frozenset(
        {
            "read-fleet",
            "read-conversation",
            "read-transactions",
            "read-cdrs",
            "read-id-tokens",
            "read-tariffs",
            "read-provider-requests",
            "read-metrics",
        }
    ),
    "reader": frozenset({"read-fleet", "read-transactions"}),
    "provider": frozenset({"read-provider-requests", "provide"}),
}
