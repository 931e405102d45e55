"""Which errors are told as one sentence: what a person can do something about. The rest is a bug
and shows where it came from.
"""

import errno
import importlib

SAYABLE = {
    "infra.cli.failures": ("Failed",),
    "infra.deployment": ("DeploymentInUse", "NoDeployment", "UnusableDirectory", "WrongKey"),
    "infra.supervisor": ("ChildFailed",),
    "infra.orphans": ("OrphansRemain",),
    "infra.postgres_cluster": ("PostgresFailed",),
    "infra.migrations": ("WrongSchema",),
    "infra.sqlite_log": ("JournalInUse",),
    "infra.clickhouse": ("ClickHouseUnavailable", "EngineFailed"),
    "infra.set_aside": ("TooManySetAside",),
    "infra.ingress_node": ("SlotTaken",),
    "infra.api_keys": ("KeyNameTaken", "WrongTenantName"),
    "infra.csv_file": ("UnreadableCsv",),
    "projections.ports": ("StoreUnavailable", "RebuildNeeded", "TooMuchPoison"),
    "schemas.journal": ("AppendUnknown", "AppenderFailed", "Unavailable", "WrongJournal"),
}

UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What a disk says that a person can do something about."""


class Failed(Exception):
    """A command cannot do what it was asked; the message says why and what to do."""


def told(error: BaseException) -> str | None:
    """Return what to say of this error; None if it is a bug."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    kinds = type(error).__mro__
    for module, names in SAYABLE.items():
        if any(kind.__module__ == module and kind.__name__ in names for kind in kinds):
            return str(error)
    if type(error).__module__.startswith("pydantic") and type(error).__name__ == "ValidationError":
        return _told_of_settings(error)
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        where = f": {error.filename}" if error.filename else ""
        return f"a file cannot be written ({error.strerror}){where}"
    return None


def _told_of_settings(error: BaseException) -> str:
    pydantic = importlib.import_module("pydantic")
    assert isinstance(error, pydantic.ValidationError)
    wrong = [
        f"CHARGELEDGER_{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}"
        for each in error.errors()
    ]
    return "settings: " + "; ".join(wrong)
