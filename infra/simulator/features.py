"""What a station was given by the optional profiles of OCPP, and keeps."""

from dataclasses import dataclass, field

from infra.simulator.json_types import Payload


@dataclass(slots=True)
class Features:
    local_list_version: int = 0
    local_list: dict[str, Payload] = field(default_factory=dict)
    profiles: dict[int, Payload] = field(default_factory=dict)
    """By id, with the connector each is for."""
    reservations: dict[int, int] = field(default_factory=dict)
    """Reservation to connector."""
    certificates: dict[str, str] = field(default_factory=dict)
    """Serial number to use."""
