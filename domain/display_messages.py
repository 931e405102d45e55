"""Messages on the displays of a station (2.0.1, O)."""

from collections.abc import Iterator

from domain import reports
from domain.holdings import Change, Telling, gone, put
from domain.members import Payload, Value, integer_of, members, object_of, objects_of

FACET = "display-messages"


def was_set(telling: Telling) -> Iterator[Change]:
    """SetDisplayMessage."""
    if telling.is_accepted:
        yield from _message(object_of(telling.request, "message"))


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
