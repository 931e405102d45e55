"""What an owner records of transactions whose end was not told. `schemas.records` has all kinds."""

from msgspec import Raw

from schemas.envelope import OwnerRecord


class TransactionClosed(
    OwnerRecord, frozen=True, kw_only=True, tag="transaction-closed-by-policy.v1"
):
    """A transaction is over by policy, though no end was told. Its true end makes this void.

    `reason`: "next-start" (another began on its EVSE), "grace-after-boot" (its station started anew
    and has not spoken of it since), "transaction-status" (its station knows nothing of it any more
    and has nothing queued).
    """

    transaction_id: str
    reason: str


class TransactionAsked(OwnerRecord, frozen=True, kw_only=True, tag="transaction-asked.v1"):
    """We ask a station (2.x) what became of a transaction: its GetTransactionStatus is a command.

    The station is back, and has not spoken of the transaction since.
    """

    transaction_id: str
    command_id: str
    payload: Raw
    expires_at: int
    version: str = "2.0.1"
