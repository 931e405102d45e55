"""Firmware updates and uploads: every state, whatever the station leaves out or mixes up."""

from typing import Any

import pytest

from domain import jobs
from tests.domain.holding import Holder, column

ACCEPTED = {"status": "Accepted"}
LOCATION = "ftp://user:hunter2@files.example.org/firmware/1.bin?signature=hunter2"
FIRMWARE = {"location": LOCATION, "retrieveDateTime": "2026-11-23T10:00:00Z"}


def update(holder: Holder, number: int = 1, status: str = "Accepted") -> None:
    asked = {"requestId": number, "firmware": FIRMWARE}
    holder.asked("UpdateFirmware", asked, {"status": status})


def tells(holder: Holder, *statuses: str, **more: Any) -> None:
    for status in statuses:
        holder.tells("FirmwareStatusNotification", {"status": status, **more})


def all_of(holder: Holder, *names: str) -> Any:
    return column(holder.of("jobs"), *names)


def told(holder: Holder) -> list[str]:
    return [each["status"] for each in holder.one("jobs")["statuses"]]


def test_a_firmware_update_of_16_goes_through_its_states() -> None:
    holder = Holder()
    asked = {"location": LOCATION, "retrieveDate": "2026-11-23T10:00:00Z"}
    command_id = holder.ask("UpdateFirmware", asked)
    assert holder.one("jobs")["state"] == "requested"
    holder.answers(command_id, {})
    assert holder.one("jobs")["state"] == "accepted"

    tells(holder, "Downloading", "Downloaded", "Installing")
    assert holder.one("jobs")["state"] == "running"
    tells(holder, "Installed")

    job = holder.one("jobs")
    assert (job["kind"], job["state"], job["status"]) == ("firmware", "done", "Installed")
    assert told(holder) == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert job["statuses"][0]["at"] == "2026-11-23T10:00:00Z"
    assert job["location"] == "ftp://files.example.org/firmware/1.bin"
    holder.assert_rebuilt()


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_jobs_of_2_are_told_apart_by_their_request(version: str) -> None:
    holder = Holder(version)
    update(holder, 1)
    update(holder, 2, "AcceptedCanceled")
    tells(holder, "Downloading", requestId=2)
    tells(holder, "DownloadFailed", requestId=2)

    assert all_of(holder, "request_id", "state", "status") == [
        (1, "canceled", ""),
        (2, "failed", "DownloadFailed"),
    ]
    assert "hunter2" not in str(holder.values)


def test_a_refused_job_says_why() -> None:
    holder = Holder("2.0.1")
    update(holder, 1, "InvalidCertificate")

    assert all_of(holder, "state", "status") == [("rejected", "InvalidCertificate")]


def test_a_state_may_come_before_the_answer_and_without_its_request() -> None:
    holder = Holder("2.0.1")
    command_id = holder.ask("UpdateFirmware", {"requestId": 1, "firmware": FIRMWARE})
    tells(holder, "Downloading")
    holder.answers(command_id, ACCEPTED)
    tells(holder, "Installed")

    assert all_of(holder, "request_id", "state") == [(1, "done")]
    assert told(holder) == ["Downloading", "Installed"]


def test_a_late_state_does_not_undo_the_end() -> None:
    holder = Holder("2.0.1")
    update(holder)
    tells(holder, "Installed", "Downloading", "Installed", requestId=1)

    assert all_of(holder, "state", "status") == [("done", "Installed")]


def test_a_repeated_state_is_one() -> None:
    holder = Holder()
    tells(holder, *["Downloading"] * 50)

    assert told(holder) == ["Downloading"]


def test_a_failed_job_may_be_tried_again() -> None:
    holder = Holder("2.0.1")
    update(holder)
    tells(holder, "DownloadFailed", "Downloading", requestId=1)

    assert all_of(holder, "state") == ["running"]


def test_what_a_station_does_by_itself_is_a_job_too() -> None:
    holder = Holder()
    tells(holder, "Idle")
    assert holder.of("jobs") == {}

    tells(holder, "Downloading", "Installed")
    holder.tells("DiagnosticsStatusNotification", {"status": "Uploading"})

    assert all_of(holder, "kind", "state", "asked_at") == [
        ("firmware", "done", None),
        ("diagnostics", "running", None),
    ]


def test_states_without_end_keep_the_latest() -> None:
    holder = Holder()
    for _ in range(100):
        tells(holder, "Downloading", "DownloadFailed")

    assert len(told(holder)) == jobs.STATUSES_MAX


def test_signed_updates_and_logs_of_16() -> None:
    holder = Holder()
    asked = {"requestId": 1, "firmware": {**FIRMWARE, "signingCertificate": "c", "signature": "s"}}
    holder.asked("SignedUpdateFirmware", asked, ACCEPTED)
    for status in ("Downloaded", "SignatureVerified", "InstallVerificationFailed"):
        holder.tells("SignedFirmwareStatusNotification", {"status": status, "requestId": 1})
    log = {"remoteLocation": LOCATION}
    wanted = {"requestId": 2, "logType": "SecurityLog", "log": log}
    holder.asked("GetLog", wanted, {**ACCEPTED, "filename": "log.tgz"})
    holder.tells("LogStatusNotification", {"status": "Uploaded", "requestId": 2})
    holder.asked("GetDiagnostics", {"location": LOCATION}, {"fileName": "d.zip"})
    holder.tells("DiagnosticsStatusNotification", {"status": "UploadFailed"})

    assert all_of(holder, "kind", "state", "file_name", "log_type") == [
        ("firmware", "failed", None, ""),
        ("log", "done", "log.tgz", "SecurityLog"),
        ("diagnostics", "failed", "d.zip", ""),
    ]
    holder.assert_rebuilt()


def test_firmware_is_published_and_withdrawn() -> None:
    holder = Holder("2.0.1")
    wanted = {"location": LOCATION, "checksum": "c" * 32, "requestId": 3}
    holder.asked("PublishFirmware", wanted, ACCEPTED)
    urls = {"location": ["http://10.0.0.1/1.bin"], "requestId": 3}
    for status in ("Downloading", "ChecksumVerified"):
        holder.tells("PublishFirmwareStatusNotification", {"status": status, "requestId": 3})
    holder.tells("PublishFirmwareStatusNotification", {"status": "Published", **urls})
    published = holder.one("jobs")
    holder.asked("UnpublishFirmware", {"checksum": "c" * 32}, {"status": "Unpublished"})
    holder.asked("UnpublishFirmware", {"checksum": "c" * 32}, {"status": "NoFirmware"})

    assert (published["state"], published["locations"]) == ("done", ["http://10.0.0.1/1.bin"])
    assert all_of(holder, "kind", "state", "status") == [
        ("publish-firmware", "done", "Published"),
        ("unpublish-firmware", "done", "Unpublished"),
        ("unpublish-firmware", "failed", "NoFirmware"),
    ]


def test_logs_of_2() -> None:
    holder = Holder("2.1")
    wanted = {"requestId": 2, "logType": "DiagnosticsLog", "log": {"remoteLocation": LOCATION}}
    holder.asked("GetLog", wanted, {**ACCEPTED, "filename": "log.tgz"})
    holder.tells("LogStatusNotification", {"status": "PermissionDenied", "requestId": 2})

    assert all_of(holder, "kind", "state", "file_name") == [("log", "failed", "log.tgz")]


def test_a_superseded_connection_moves_no_job() -> None:
    holder = Holder()
    tells(holder, "Downloading")
    holder.log.opens("c2")
    holder.tells("FirmwareStatusNotification", {"status": "Installed"}, connection="c1")

    assert all_of(holder, "state") == ["running"]
