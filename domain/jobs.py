"""Long jobs of a station: firmware, logs, diagnostics (1.6, 5 and security extension; 2.0.1, L).

A job is known by its `requestId`, where it has one; 1.6's first ones have none, and some stations
leave it out or tell a state before they have answered. What fits no job that we asked for is a job
of its own: the station does it all the same. Every state is kept with the time at which we heard of
it, the latest ones if there are many.
"""

from collections.abc import Callable, Iterator

from domain.holdings import Change, Fold, Holdings, Telling, put
from domain.members import Value, integer_of, iso, object_of, place_of, plain, text_of

FACET = "jobs"
OPEN = ("requested", "accepted", "running")
STATUSES_MAX = 24
"""Of a job. An update passes through about eight; a bad line makes it try again."""

_DONE = {"Installed", "Uploaded", "Published", "Unpublished"}
_FAILED = {
    "DownloadFailed", "InstallationFailed", "InstallVerificationFailed", "InvalidSignature",
    "RevokedCertificate", "InvalidCertificate", "UploadFailed", "UploadFailure", "BadMessage",
    "NotSupportedOperation", "PermissionDenied", "InvalidChecksum", "PublishFailed",
}  # fmt: skip
_CANCELED = "AcceptedCanceled"
_OVER = ("done", "canceled")
_STATUS_CHARACTERS_MAX = 50


def asked(kind: str, place: Callable[[Telling], str]) -> Fold:
    """A request of ours on its way; `place`: where the station is to fetch or to put."""

    def fold(telling: Telling) -> Iterator[Change]:
        key, job = _of_command(telling.held, telling.command_id)
        request_id = integer_of(telling.request, "requestId")
        job = job or _new(kind, request_id, telling)
        log_type, checksum = (text_of(telling.request, name) for name in ("logType", "checksum"))
        more = {"location": place_of(place(telling)), "log_type": log_type, "checksum": checksum}
        yield put(FACET, key or _key(telling), {**job, **more, "state": "requested"})

    return fold


def answered(telling: Telling) -> Iterator[Change]:
    """The station's answer to the request."""
    key, job = _of_command(telling.held, telling.command_id)
    if job is None:
        return
    status = telling.status
    name = text_of(telling.result, "filename") or text_of(telling.result, "fileName")
    if name:
        job["file_name"] = name
    if job["kind"] == "unpublish-firmware":
        yield put(FACET, key, _moved(job, status, telling))
        return
    if status in ("", "Accepted", _CANCELED):
        # A state that came before the answer is the later one.
        yield put(FACET, key, {**job, "state": "accepted"} if job["state"] == "requested" else job)
    else:
        yield put(FACET, key, {**job, "state": "rejected", "status": status})
    if status == _CANCELED:
        for other, earlier in telling.held.each(FACET):
            if other != key and earlier["kind"] == job["kind"] and earlier["state"] in OPEN:
                yield put(FACET, other, {**earlier, "state": "canceled"})


def progressed(kind: str) -> Fold:
    """A state that the station tells of."""

    def fold(telling: Telling) -> Iterator[Change]:
        status = text_of(telling.request, "status")[:_STATUS_CHARACTERS_MAX]
        request_id = integer_of(telling.request, "requestId")
        key, job = _meant(telling.held, kind, request_id, status)
        if job is None:
            if status == "Idle":
                return
            key, job = _key(telling), _new(kind, request_id, telling)
        job = _moved(job, status, telling)
        locations = telling.request.get("location")
        if isinstance(locations, list):
            job = {**job, "locations": [place_of(str(each)) for each in plain(locations)]}
        yield put(FACET, key, job)

    return fold


def _meant(
    held: Holdings, kind: str, request_id: int | None, status: str
) -> tuple[str, Value | None]:
    """Return the job that is told of: by its id, else the latest open one, else a repeat."""
    jobs = [(key, job) for key, job in held.each(FACET) if job["kind"] == kind]
    jobs.sort(key=lambda pair: pair[0], reverse=True)
    if request_id is not None:
        named = [pair for pair in jobs if pair[1]["request_id"] == request_id]
        if named:
            return named[0]
        jobs = [pair for pair in jobs if pair[1]["request_id"] is None]
    for key, job in jobs:
        # The latest may have failed and be tried again.
        is_tried_again = key == jobs[0][0] and job["state"] == "failed"
        if job["state"] in OPEN or job["status"] == status or is_tried_again:
            return key, job
    return "", None


def _of_command(held: Holdings, command_id: str) -> tuple[str, Value | None]:
    for key, job in held.each(FACET):
        if job["command_id"] == command_id:
            return key, job
    return "", None


def _moved(job: Value, status: str, telling: Telling) -> Value:
    at = iso(telling.recorded_at)
    before = job.get("statuses") or []
    if before and before[-1]["status"] == status:
        return job
    statuses = [*before, {"status": status, "at": at}][-STATUSES_MAX:]
    if status == "Idle" or job["state"] in _OVER:
        # Told late: it is over all the same. One that failed may be tried again.
        return {**job, "statuses": statuses}
    if status in _DONE:
        state = "done"
    elif status == _CANCELED:
        state = "canceled"
    elif status in _FAILED or (job["kind"] == "unpublish-firmware"):
        state = "failed"
    else:
        state = "running"
    return {**job, "state": state, "status": status, "status_at": at, "statuses": statuses}


def _new(kind: str, request_id: int | None, telling: Telling) -> Value:
    return {
        "kind": kind,
        "request_id": request_id,
        "command_id": telling.command_id,
        "state": "requested",
        "status": "",
        "status_at": None,
        "statuses": [],
        "asked_at": iso(telling.recorded_at) if telling.command_id else None,
    }


def _key(telling: Telling) -> str:
    return f"{telling.offset:018d}"


def location(telling: Telling) -> str:
    return text_of(telling.request, "location")


def firmware_location(telling: Telling) -> str:
    return text_of(object_of(telling.request, "firmware"), "location")


def log_location(telling: Telling) -> str:
    return text_of(object_of(telling.request, "log"), "remoteLocation")
