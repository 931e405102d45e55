"""What a deployment asks of itself, and owners tell of themselves. `schemas.records` has all kinds.

They belong to a partition: the envelope's tenant and station are empty, so they are in no
conversation and in no view of one.
"""

from schemas.envelope import OwnerRecord, Record


class CanaryAsked(Record, frozen=True, kw_only=True, tag="canary-asked.v1"):
    """Written by the API where nothing else is written: the partition's owner has to answer, and
    every reader to come by."""


class CanaryAnswered(OwnerRecord, frozen=True, kw_only=True, tag="canary-answered.v1"):
    """The owner folds, decides and appends; `cause` is the latest canary that it has folded."""


class RecordSetAside(OwnerRecord, frozen=True, kw_only=True, tag="record-set-aside.v1"):
    """The owner could not fold the record at `cause`, or not decide after it.

    Nothing is decided for that station. It is true until the next claim: an owner says anew what it
    sets aside.
    """

    of_tenant: str = ""
    """Both empty: what stands there is no record, and nobody knows whose it was to be."""
    of_station: str = ""
    reason: str
