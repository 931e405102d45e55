"""Raw JSON, as it is on the wire: the one place of the simulator where `Any` is spelled."""

from typing import Any, TypeAlias

Json: TypeAlias = Any
Payload: TypeAlias = dict[str, Any]
