"""What an operator may change, read from environment variables `CHARGELEDGER_*`.

Every default is sane for one machine. Limits that follow from each other are constants beside the
code that keeps them, not settings. `chargeledger settings-page` writes docs/settings.md from here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.provided import actions_in

PREFIX = "CHARGELEDGER_"

NOT_SETTINGS = ("CHARGELEDGER_TEST_", "CHARGELEDGER_REQUIRE_")
"""Variables of the tests, which are nobody's mistake."""

Attitude = Literal["accept", "refuse"]


def _provided(text: str) -> str:
    actions_in(text)
    return text


class Settings(BaseSettings):
    """Field `x` is variable CHARGELEDGER_X. The description of each is its documentation."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    # Where things are.
    data: Path = Field(
        default=Path("data"),
        description="Directory of an embedded deployment: journal, databases, secrets, logs.",
    )
    tenant: str = Field(
        default="default",
        description="Tenant that commands of the command line mean when they are not told.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="How much the processes log."
    )

    # Doors.
    ocpp_host: str = Field(
        default="127.0.0.1", description="Address on which stations are listened for."
    )
    ocpp_port: int = Field(
        default=9000, ge=0, le=65535, description="Port for stations; 0 takes a free one."
    )
    api_host: str = Field(
        default="127.0.0.1",
        description="Address of the API. Anything but loopback needs an API key to exist.",
    )
    api_port: int = Field(
        default=8080, ge=0, le=65535, description="Port of the API; 0 takes a free one."
    )
    health_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port on loopback where the roles `ingress`, `domain` and `projections` answer"
        " /healthz, /readyz and /metrics; 0 takes a free one. Unset: nowhere.",
    )
    clickhouse_port: int = Field(
        default=8123,
        ge=0,
        le=65535,
        description="Port of the embedded, read-only ClickHouse (loopback only); 0: a free one.",
    )
    postgres_port: int = Field(
        default=5433,
        ge=0,
        le=65535,
        description="Port of the embedded Postgres (loopback only); 0 takes a free one.",
    )

    # Who is let in.
    unknown_stations: Attitude = Field(
        default="refuse",
        description="Whether stations that nobody registered may connect. `up` on loopback accepts"
        " them unless this is set.",
    )
    unknown_tokens: Attitude = Field(
        default="refuse",
        description="Whether id tokens that nobody registered may charge; refused ones are answered"
        " `Invalid`. `up` on loopback accepts them unless this is set.",
    )
    certificate_requests: Attitude = Field(
        default="refuse",
        description="Whether requests to sign a certificate are accepted: somebody then reads them"
        " through the API, has them signed and commands CertificateSigned. The attribute"
        " `certificate_requests` of a station's registration says otherwise for it.",
    )
    require_subprotocol: bool = Field(
        default=True,
        description="Whether a station must offer an OCPP sub-protocol. Some makes offer none;"
        " `false` takes them to speak OCPP 1.6.",
    )

    # What stations are told, and how long we wait.
    heartbeat_interval_s: int = Field(
        default=300, ge=10, le=86_400, description="Seconds between the heartbeats of a station."
    )
    spread_percent: int = Field(
        default=10,
        ge=0,
        le=50,
        description="By how much the intervals that stations are told (heartbeats, the next boot)"
        " differ from station to station, up and down: so that they do not come all at once.",
    )
    answer_timeout_s: float = Field(
        default=30.0,
        ge=1,
        le=600,
        description="Seconds that a station has to answer a command; then its fate is `timed out`.",
    )
    provided: Annotated[str, AfterValidator(_provided)] = Field(
        default="",
        description="Actions of stations that somebody else answers through the API, with commas"
        " between them: DataTransfer; of 2.x Authorize (with a contract certificate),"
        " Get15118EVCertificate, GetCertificateStatus, NotifyEVChargingNeeds; of 2.1"
        " GetCertificateChainStatus, PullDynamicScheduleUpdate, VatNumberValidation. The attribute"
        " `provided` of a station's registration (the same, or `none`) says otherwise for it. What"
        " is not provided is refused at once.",
    )
    provider_answer_s: float = Field(
        default=20.0,
        ge=1,
        le=600,
        description="Seconds that such a CALL waits for its answer; then it is refused. Less than"
        " stations wait for an answer of ours (30 s is usual); meanwhile most send nothing else. An"
        " EV waits some 5 s for its certificate.",
    )
    settle_s: float = Field(
        default=900.0,
        ge=0,
        description="Seconds after its end until a transaction without contradictions is released"
        " as a FINAL CDR; late messages still count until then. `up` on loopback: 0 unless set.",
    )
    settle_offline_s: float = Field(
        default=86_400.0,
        ge=0,
        description="Seconds that the release waits longer, at most, for a station that is away:"
        " it is released when the station has been back for `CHARGELEDGER_SETTLE_S`. Without that"
        " window nothing is waited for.",
    )
    close_grace_s: float = Field(
        default=86_400.0,
        ge=60,
        description="Seconds after a boot until a transaction of which nothing more was heard is"
        " closed, and its CDR held. Its true stop still counts whenever it comes.",
    )
    ping_s: float = Field(
        default=45.0,
        ge=5,
        le=3_600,
        description="Seconds of silence on a connection after which it is pinged. Below what the"
        " gateways on the way forget a connection after.",
    )
    retry_after_max_s: int = Field(
        default=120,
        ge=1,
        le=3_600,
        description="Stations that are refused for our own trouble (503) are told to come again"
        " after 5 s to so many, each after another time. A small fleet may come sooner.",
    )
    drain_s: float = Field(
        default=20.0,
        ge=0,
        le=3_600,
        description="Seconds over which an ingress process that is told to stop closes its"
        " connections (1012), each once what is under way on it is answered. `up` closes all at"
        " once: there is no other process for them to go to.",
    )
    connections_max: int = Field(
        default=20_000,
        ge=1,
        description="Connections of one ingress process; more are answered 503.",
    )
    tenant_share_percent: int = Field(
        default=90,
        ge=1,
        le=100,
        description="Share of them that one tenant may have, so that others get in; more of its"
        " stations are answered 503, unless they have a connection already.",
    )
    frames_per_s: float = Field(
        default=200.0,
        gt=0,
        description="Frames a second that one station may send for long; then it is read slower.",
    )

    set_aside_max: int = Field(
        default=100,
        ge=0,
        description="Records, or stations, of one partition or projection that may be set aside"
        " because they cannot be folded. With more it stops: a version that folds little right"
        " must not go on.",
    )

    snapshots_shared: Path | None = Field(
        default=None,
        description="Directory that all `domain` processes reach, where owners leave snapshots of"
        " their partitions for each other. Without it a process that takes over a partition for"
        " the first time folds its log from the start. Guard it as the journal.",
    )

    # The journal.
    journal: Literal["sqlite", "kafka"] = Field(
        default="sqlite",
        description="Where the journal is: in the data directory, or in Kafka. `up` is always"
        " sqlite; the roles `ingress` and `domain` need kafka.",
    )
    partitions: int = Field(
        default=4,
        ge=1,
        le=1_024,
        description="Partitions of a new journal; `up` makes 1 unless this is set. At most so many"
        " domain workers can share the stations, and each costs batches of its own: take no more"
        " than cores you may ever give them. Fixed when it is created: a process with another"
        " number refuses to start.",
    )
    kafka_bootstrap: str = Field(
        default="127.0.0.1:9092", description="Kafka brokers, `host:port,host:port`."
    )
    kafka_prefix: str = Field(
        default="chargeledger",
        pattern=r"^[a-zA-Z0-9._-]{1,80}$",
        description="What the names of our topics begin with: `<prefix>.journal`, ….",
    )
    replication: int = Field(
        default=3,
        ge=1,
        le=9,
        description="Copies of each topic that is created. With 3, two must have a record before it"
        " is answered for; 1 is for a single broker.",
    )
    ingress_slots: int = Field(
        default=16,
        ge=1,
        le=256,
        description="How many ingress processes a deployment on Kafka can have at most.",
    )
    ingress_slot: int = Field(
        default=0,
        ge=0,
        description="Number of this ingress process, 0 … slots - 1; each has its own.",
    )

    # The stores.
    postgres_dsn: SecretStr = Field(
        default=SecretStr(""),
        description="Postgres for the roles of a deployment on servers:"
        " `postgresql://user:password@host/database`. `up` brings its own.",
    )
    clickhouse_dsn: SecretStr = Field(
        default=SecretStr(""),
        description="ClickHouse: `http://user:password@host:8123` (or https), or `chdb:///path`"
        " for the engine in the process. `up` brings its own.",
    )
    signed_data_url: str = Field(
        default="",
        max_length=470,
        pattern=r"^(https://[!-~]*\{id\}[!-~]*)?$",
        description="Where a driver can check what was signed of a CDR: an https address with"
        " `{id}` for the CDR's id. It stands beside the signed values of OCPI CDRs, and leads to"
        " those that are too long for OCPI as well.",
    )
    clickhouse_database: str = Field(
        default="chargeledger",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$",
        description="Database in ClickHouse.",
    )
    secrets: Path | None = Field(
        default=None,
        description="Directory of the keys that all processes of a deployment share"
        " (`transaction-id.key`, `pepper.key`, `vault.key`; 32 bytes each, mode 0600)."
        " Default: `secrets` in the data directory.",
    )

    def environment(self) -> dict[str, str]:
        """Return the variables that say what this object says, for child processes."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            PREFIX + name.upper(): _text(value)
            for name, value in values.items()
            if value is not None
        }


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the names of CHARGELEDGER_* variables that mean nothing: misspelt, or of a past."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(
        name
        for name in environment
        if name.upper().startswith(PREFIX)
        and name.upper() not in known
        and not name.upper().startswith(NOT_SETTINGS)
    )


def settings_page() -> str:
    """Return docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read once when a process starts. Written by `chargeledger"
        " settings-page`; do not edit.",
        "",
        "| variable | default | what it says |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = _text(field.default) if field.default is not None else ""
        shown = f"`{default}`" if default else ""
        lines.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
