"""Messages on the displays of a station (2.0.1, O).

One is gone when it is cleared, when the transaction ends that it is for, and, of the priority
AlwaysFront, when a newer one of that priority is set.
"""

from collections.abc import Iterator

from domain import reports
from domain.holdings import Change, Holdings, Telling, gone, put
from domain.members import Payload, Value, integer_of, members, object_of, objects_of

FACET = "display-messages"
_ALONE = "AlwaysFront"


def was_set(telling: Telling) -> Iterator[Change]:
    """SetDisplayMessage."""
    if not telling.is_accepted:
        return
    message = object_of(telling.request, "message")
    if message.get("priority") == _ALONE:
        for key, other in telling.held.each(FACET):
            if other.get("priority") == _ALONE:
                yield gone(FACET, key)
    yield from _message(message)


def transaction_ended(held: Holdings, transaction_id: str) -> Iterator[Change]:
    for key, message in held.each(FACET):
        if message.get("transaction_id") == transaction_id:
            yield gone(FACET, key)


def cleared(telling: Telling) -> Iterator[Change]:
    """ClearDisplayMessage. One that is unknown is not there either."""
    message_id = integer_of(telling.request, "id")
    if message_id is not None and telling.status in ("Accepted", "Unknown"):
        yield gone(FACET, message_id)


def report_asked(telling: Telling) -> Iterator[Change]:
    """GetDisplayMessages."""
    whole = not any(telling.request.get(name) for name in ("id", "priority", "state"))
    yield from reports.asked(FACET, telling, whole=whole)


def report_answered(telling: Telling) -> Iterator[Change]:
    yield from reports.refused(FACET, telling, is_empty=telling.status == "Unknown")


def reported(telling: Telling) -> Iterator[Change]:
    """NotifyDisplayMessages."""
    yield from reports.part(FACET, telling, numbered=False)
    for each in objects_of(telling.request, "messageInfo"):
        yield from _message(each)


def _message(message: Payload) -> Iterator[Change]:
    message_id = integer_of(message, "id")
    if message_id is None:
        return
    content = object_of(message, "message")
    value: Value = {
        "message_id": message_id,
        **members(
            message, "priority", "state", "startDateTime", "endDateTime", "transactionId",
            "display", "messageExtra",
        ),
        **members(content, "content", "format", "language"),
    }  # fmt: skip
    yield put(FACET, message_id, value)
