"""`chargeledger probe`: a station of each partition says something; it must be answered and shown.

What it says is its boot with a firmware version that nobody said before: when the API shows that,
this very frame was appended, folded, answered and projected.
"""

import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from infra.cli.failures import Failed
from infra.deployment import Layout
from ingress.identity import DEFAULT_TENANT
from schemas.partitions import partition_of

LOOK_EVERY_S = 0.05
VERSION_BYTES = 8
MODEL = "Probe"


class NotWell(Exception):
    """A step did not come to its end in time; says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeWish:
    ocpp_url: str
    api_url: str
    tenant: str
    station: str
    partitions: int
    password: str
    api_key: str
    within_s: float


def run_probe(wish: ProbeWish, data: Path) -> None:
    """
    Raises:
        Failed: nothing runs there, and no URL was given.
    """
    ocpp_url, api_url = wish.ocpp_url, wish.api_url
    if not ocpp_url or not api_url:
        running = Layout(data).running()
        if running is None:
            raise Failed(f"nothing runs in {data}: start `chargeledger up`, or give both URLs")
        ocpp_url, api_url = ocpp_url or running.ocpp_url, api_url or running.api_url
    well = True
    for partition, station in enumerate(stations(wish), 1):
        try:
            said = _probed(wish, ocpp_url, api_url, station)
        except NotWell as error:
            said, well = str(error), False
        sys.stdout.write(f"partition {partition}  {station}  {said}\n")
    if not well:
        sys.exit(1)


def stations(wish: ProbeWish) -> Iterator[str]:
    """One name for each partition, in their order; the same every time."""
    for partition in range(1, wish.partitions + 1):
        yield next(
            name
            for number in count(1)
            if partition_of(wish.tenant, name := f"{wish.station}-{number}", wish.partitions)
            == partition
        )


def _probed(wish: ProbeWish, ocpp_url: str, api_url: str, station: str) -> str:
    version = secrets.token_hex(VERSION_BYTES)
    began = time.monotonic()
    deadline = began + wish.within_s
    _answered(wish, ocpp_url, station, version)
    answered_s = time.monotonic() - began
    path = f"/v1/stations/{urllib.parse.quote(station, safe='')}"
    if wish.tenant != DEFAULT_TENANT and not wish.api_key:
        path += f"?tenant={urllib.parse.quote(wish.tenant)}"
    while _shown(f"{api_url}{path}", wish.api_key, deadline - time.monotonic()) != version:
        if time.monotonic() > deadline:
            raise NotWell(f"answered after {answered_s:.2f} s, and not shown in {wish.within_s:g}")
        time.sleep(LOOK_EVERY_S)
    return f"answered after {answered_s:.2f} s, shown after {time.monotonic() - began:.2f} s"


def _answered(wish: ProbeWish, ocpp_url: str, station: str, version: str) -> None:
    tenant = "" if wish.tenant == DEFAULT_TENANT else f"/{urllib.parse.quote(wish.tenant)}"
    boot = {"chargePointVendor": "ChargeLedger", "chargePointModel": MODEL}
    call = orjson.dumps([2, version, "BootNotification", boot | {"firmwareVersion": version}])
    try:
        with connect(
            f"{ocpp_url.rstrip('/')}{tenant}/{urllib.parse.quote(station, safe='')}",
            subprotocols=[Subprotocol("ocpp1.6")],
            additional_headers=_basic(station, wish.password),
            open_timeout=wish.within_s,
            close_timeout=1,
            compression=None,
            proxy=None,
        ) as connection:
            connection.send(call.decode())
            answer = orjson.loads(connection.recv(wish.within_s))
    except TimeoutError:
        raise NotWell(f"not answered in {wish.within_s:g} s") from None
    except (OSError, WebSocketException) as error:
        raise NotWell(f"not let in: {error}") from error
    if answer[:2] != [3, version]:
        raise NotWell(f"answered with something else: {str(answer)[:200]}")


def _basic(station: str, password: str) -> dict[str, str]:
    if not password:
        return {}
    from base64 import b64encode

    return {"Authorization": f"Basic {b64encode(f'{station}:{password}'.encode()).decode()}"}


def _shown(url: str, api_key: str, timeout_s: float) -> str:
    request = urllib.request.Request(url)
    if api_key:
        request.add_header("Authorization", f"Bearer {api_key}")
    try:
        with urllib.request.urlopen(request, timeout=max(0.1, timeout_s)) as response:
            found: Any = orjson.loads(response.read())
    except (OSError, urllib.error.URLError):
        return ""
    return str(found["station"]["firmware_version"])
