"""Which partition a station's records are in. Fixed when a deployment is created."""

from zlib import crc32

HASH_NAME = "crc32"


def key_of(tenant: str, station: str) -> str:
    return f"{tenant}/{station}"


def partition_of(tenant: str, station: str, partitions: int) -> int:
    """Return 1 … `partitions`; 0 is the registry's."""
    return 1 + crc32(f"{tenant}/{station}".encode()) % partitions
