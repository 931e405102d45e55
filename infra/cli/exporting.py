"""`chargeledger export`: released CDRs to a file, with a manifest beside it."""

import asyncio
import sys
from pathlib import Path

from domain.readings import read_time
from infra.cli.bars import progress_bar
from infra.cli.failures import Failed
from infra.cli.journals import journal_to_read
from infra.clock import now_us
from infra.exporting import (
    FORMS,
    Form,
    Manifest,
    Window,
    manifest_path,
    released_in,
    signed_frames,
    write_export,
)
from infra.settings import Settings


def run_export(name: str, start: str, end: str, out: Path, *, data: Path, tenant: str) -> None:
    form = next((each for each in FORMS if each == name), None)
    if form is None:
        raise Failed(f"there is no format {name!r}; there are {', '.join(FORMS)}")
    window = Window(_moment(start, "--from"), _moment(end, "--to"))
    if window.end <= window.start:
        raise Failed("--from is not before --to: there is nothing between them")
    if window.end > now_us():
        raise Failed("--to lies ahead: what will be released until then is not known yet")
    manifest = asyncio.run(_export(form, window, out, Settings(data=data), tenant))
    refused = sum(manifest.refused.values())
    sys.stdout.write(f"{out}: {manifest.documents} documents, sha256 {manifest.sha256}\n")
    sys.stdout.write(f"{manifest_path(out)}: sums, positions\n")
    if refused:
        reasons = ", ".join(f"{n} {reason}" for reason, n in manifest.refused.items())
        sys.stdout.write(f"{refused} have no form in OCPI: {reasons}\n")


async def _export(
    form: Form, window: Window, out: Path, settings: Settings, tenant: str
) -> Manifest:
    async with journal_to_read(settings) as journal:
        with progress_bar("reading the log") as bars:
            task = bars.add_task("", total=None)

            def on_progress(done: int, total: int) -> None:
                bars.update(task, completed=done, total=total)

            found = await released_in(journal, tenant, window, on_progress)
        frames = await signed_frames(journal, found) if form.startswith("ocpi") else {}
        return write_export(
            form,
            found,
            out,
            tenant=tenant,
            journal_id=journal.id,
            window=window,
            frames=frames,
            signed_url=settings.signed_data_url,
        )


def _moment(text: str, option: str) -> int:
    moment, _ = read_time(text)
    if moment is None:
        raise Failed(f"{option} {text!r} is no time: RFC 3339, for instance 2026-11-01T00:00:00Z")
    return moment
