"""A station that asks what a provider answers, and the provider: for driving them by hand."""

from typing import Any

import msgspec

from domain.answering import Policy
from domain.conversation import fold
from domain.log_filter import LogFilter
from domain.provider_requests import ProviderRequestMoved
from domain.registry import Registry
from domain.station import Station
from schemas.provided import PROVIDABLE
from schemas.records import (
    CALL,
    ConnectionClosed,
    MessageSent,
    ProviderAnswered,
)
from tests.domain.log import POLICY, SECOND, Log, Worker, working

ACTION = "Get15118EVCertificate"
ASKED = {
    "iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef",
    "action": "Install",
    "exiRequest": "gJgC",
}
GIVEN = {"status": "Accepted", "exiResponse": "gJgDAA=="}
REFUSED = {"status": "Failed", "exiResponse": ""}
WAIT_S = 20
PROVIDED = POLICY._replace(
    provided=frozenset.union(*PROVIDABLE.values()), provider_answer_us=WAIT_S * SECOND
)
HEARTBEAT_NOW = {"currentTime": "2026-11-23T10:00:00Z"}


PRESENTED = {"idToken": {"idToken": "NL-TST-C1", "type": "eMAID"}, "certificate": "MIIB"}
LET_IN = {"idTokenInfo": {"status": "Accepted"}, "certificateStatus": "Accepted"}


def needs(hour: str) -> dict[str, Any]:
    told = {"requestedEnergyTransfer": "DC", "departureTime": f"2026-11-23T{hour}:00:00Z"}
    return {"evseId": 1, "chargingNeeds": told}


def provided(protocol: str = "2.0.1", policy: Policy = PROVIDED) -> tuple[Log, Worker]:
    return working(policy, Registry(), protocol)


def gives(
    log: Log, call: int, payload: Any = GIVEN, actor: str = "pki", secrets: tuple[str, ...] = ()
) -> int:
    return log.append(
        ProviderAnswered(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            call=call,
            payload=msgspec.Raw(msgspec.json.encode(payload)),
            actor=actor,
            secrets=secrets,
        ),
        writer="api",
    )[0]


def closes(log: Log, connection: str = "c1") -> int:
    return log.append(
        ConnectionClosed(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            connection=connection,
            code=1006,
        )
    )[0]


def moves(log: Log) -> list[tuple[str, int, str]]:
    """What a view is told: fate, offset of the CALL, who answered."""
    station, log_filter = Station("default", "CP1", 1), LogFilter()
    found: list[tuple[str, int, str]] = []
    for offset in range(len(log.values)):
        record = log.read(offset)
        if not log_filter.admit(offset, record) or record.station != "CP1":
            continue
        found += [
            (fact.fate, fact.call.offset, fact.forwarded.actor)
            for fact in fold(station, offset, record)
            if isinstance(fact, ProviderRequestMoved)
        ]
    return found


def sent_in(log: Log) -> list[MessageSent]:
    """Our answers, whoever decided them."""
    records = (log.read(offset) for offset in range(len(log.values)))
    return [r for r in records if isinstance(r, MessageSent) and r.message_type != CALL]


def answers_in(log: Log) -> list[Any]:
    return [msgspec.json.decode(sent.frame)[2] for sent in sent_in(log)]
