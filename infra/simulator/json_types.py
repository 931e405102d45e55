"""Raw JSON, as it is on the wire: the one place of the simulator where `Any` is spelled."""

from typing import Any, TypeAlias

Json: TypeAlias = Any
Payload: TypeAlias = dict[str, Any]
Configuration: TypeAlias = dict[str, tuple[str, bool]]
"""Name to value and whether it is read-only."""
