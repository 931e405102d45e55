"""The versions of OCPP that a simulated station speaks."""

from collections.abc import Sequence
from datetime import datetime

from infra.simulator import commands, commands_2, device_2, features_2, frames, frames_2
from infra.simulator.json_types import Configuration, Json, Payload
from infra.simulator.outbox import Message
from infra.simulator.reply import Answer
from infra.simulator.station import Dialect, Station


class Dialect16:
    protocol = "1.6"
    heartbeat = "HeartbeatInterval"
    names_transactions = False

    def configuration(self) -> Configuration:
        return commands.default_configuration()

    def boot(self, station: str, _reason: str) -> Payload:
        return frames.boot(station)

    def announcements(self, at: datetime) -> list[Message]:
        return [Message(action="StatusNotification", payload=frames.status(0, "Available", at))]

    def spoken(self, message: Message) -> tuple[str, Payload]:
        return message.action, message.wire_payload()

    def understood(self, answer: Payload | None) -> Payload | None:
        return answer

    def is_done(self, action: str) -> bool:
        return action in commands.COMMANDS

    def answer(self, station: Station, action: str, payload: Json, *, valid: bool) -> Answer:
        return commands.answer(station, action, payload, valid=valid)

    def expired(self, _station: Station) -> Sequence[Message]:
        return ()


class Dialect2:
    heartbeat = device_2.HEARTBEAT
    names_transactions = True

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol

    def configuration(self) -> Configuration:
        return device_2.default_configuration()

    def boot(self, station: str, reason: str) -> Payload:
        return frames_2.boot(station, reason)

    def announcements(self, _at: datetime) -> list[Message]:
        return []

    def spoken(self, message: Message) -> tuple[str, Payload]:
        return frames_2.spoken(message)

    def understood(self, answer: Payload | None) -> Payload | None:
        return frames_2.understood(answer)

    def is_done(self, action: str) -> bool:
        return action in commands_2.COMMANDS

    def answer(self, station: Station, action: str, payload: Json, *, valid: bool) -> Answer:
        return commands_2.answer(station, action, payload, version=self.protocol, valid=valid)

    def expired(self, station: Station) -> Sequence[Message]:
        return features_2.expired(station)


def dialect(protocol: str) -> Dialect:
    return Dialect16() if protocol == Dialect16.protocol else Dialect2(protocol)
