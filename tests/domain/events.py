"""TransactionEvents as a station of 2.0.1 or 2.1 tells them."""

from typing import Any

TOKEN = {"idToken": "TAG", "type": "ISO14443"}


def reading(
    value: Any, context: str = "Sample.Periodic", at: str = "2026-11-23T09:00:00Z", **more: Any
) -> dict[str, Any]:
    sampled = {"value": value, "context": context, **more}
    return {"timestamp": at, "sampledValue": [sampled]}


def event(
    kind: str, seq_no: int, at: str = "2026-11-23T09:00:00Z", *, id: str = "T-1", **more: Any
) -> dict[str, Any]:
    info = {"transactionId": id, **more.pop("info", {})}
    return {
        "eventType": kind,
        "timestamp": at,
        "triggerReason": more.pop("trigger", "CablePluggedIn"),
        "seqNo": seq_no,
        "transactionInfo": info,
        **more,
    }


def started(**more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "evse": {"id": 2, "connectorId": 1},
        "idToken": TOKEN,
        "meterValue": [reading(1000, "Transaction.Begin")],
    }
    return event("Started", 0, **{**fields, **more})


def ended(**more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "meterValue": [reading(9000, "Transaction.End", "2026-11-23T10:00:00Z")],
        "info": {"stoppedReason": "EVDisconnected"},
    }
    return event("Ended", 2, "2026-11-23T10:00:00Z", **{**fields, **more})
