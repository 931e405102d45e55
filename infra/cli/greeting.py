"""What `up` prints when everything runs: where to connect, and what is let in."""

from infra.deployment import Deployment, Layout, is_loopback
from infra.settings import Settings


def greeting(layout: Layout, settings: Settings, deployment: Deployment, demo: int) -> str:
    billing = f"postgresql://billing@127.0.0.1:{deployment.postgres_port}/chargeledger"
    rows = [
        ("stations", f"{deployment.ocpp_url}/{{station}}  (OCPP 1.6J, 2.0.1, 2.1)"),
        ("API", f"{deployment.api_url}  (documentation: {deployment.api_url}/docs)"),
        ("billing", f"{billing}  (SELECT * FROM billing.cdrs)"),
        ("analysts", f"{deployment.clickhouse_url}  (ClickHouse over HTTP, read-only)"),
        ("data", str(layout.data)),
        ("accepts", _attitudes(settings)),
        ("CDRs", _settling(settings)),
    ]
    if demo:
        rows.append(("demo", f"{demo} simulated stations; their first CDRs come within a minute"))
    lines = [f"  {name:<9} {text}" for name, text in rows]
    return "ChargeLedger is up; Ctrl-C stops it.\n" + "\n".join(lines) + "\n"


def _attitudes(settings: Settings) -> str:
    stations = f"unknown stations: {settings.unknown_stations}"
    tokens = f"unknown id tokens: {settings.unknown_tokens}"
    why = ""
    if is_loopback(settings.ocpp_host):
        why = "  (on loopback; CHARGELEDGER_UNKNOWN_STATIONS and _TOKENS say otherwise)"
    return f"{stations}, {tokens}{why}"


def _settling(settings: Settings) -> str:
    if settings.settle_s == 0:
        return "final as soon as a transaction has ended  (CHARGELEDGER_SETTLE_S=900 to wait)"
    return f"final {settings.settle_s:g} s after a transaction has ended"
