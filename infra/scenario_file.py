"""Scenario files: a header with tariffs, then one scenario per line. Read as they are written.

A scenario is a conversation as a station held it: frames with the time at which we received or sent
them, moments of the connection, and what the CDRs must say at the end.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from domain.readings import read_time

Json = dict[str, Any]


class ScenarioInvalid(ValueError):
    """The message says which line is no scenario, and why."""


class Event(NamedTuple):
    at: int
    station: str
    connection: int
    """`ws`; 0 where the event names none."""
    direction: str
    """"in", "out", or "" of a control."""
    raw: list[Any]
    control: Json
    """Of a control: what it says; else empty."""


class Scenario(NamedTuple):
    id: str
    title: str
    version: str
    """Of OCPP, as connections name it."""
    tariff_id: str
    config: Json
    events: Sequence[Event]
    expect: Json

    @property
    def stations(self) -> list[str]:
        named = {event.station: None for event in self.events}
        return list({self.config["cs"]: None, **named})


class ScenarioFile(NamedTuple):
    tariffs: Sequence[Json]
    scenarios: Sequence[Scenario]


def read_scenarios(path: Path) -> ScenarioFile:
    tariffs: list[Json] = []
    scenarios = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            if told.get("kind") == "header":
                tariffs += told["tariffs"]
            else:
                scenarios.append(_scenario(told))
        except KeyError as error:
            raise ScenarioInvalid(f"{path}: line {number}: {error} is missing") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise ScenarioInvalid(f"{path}: line {number}: no scenario: {error}") from error
    return ScenarioFile(tariffs, scenarios)


def _scenario(told: Json) -> Scenario:
    config = told["config"]
    return Scenario(
        id=told["id"],
        title=told.get("title", ""),
        version=told["protocol"].removeprefix("ocpp"),
        tariff_id=told.get("tariff_id") or "",
        config=config,
        events=[_event(event, config["cs"]) for event in told.get("frames", ())],
        expect=told["expect"],
    )


def _event(told: Json, station: str) -> Event:
    at = read_time(told["at"])[0]
    if at is None:
        raise ScenarioInvalid(f"no time: {told['at']}")
    return Event(
        at=at,
        station=told.get("cs", station),
        connection=told.get("ws", 0),
        direction=told.get("dir", ""),
        raw=told.get("raw", []),
        control=told if "ctl" in told else {},
    )
