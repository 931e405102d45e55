"""Figures of processes as Prometheus' text. Names, units and what a rise of each means: one table.

They are counted where things happen, as plain numbers, and put into words only when somebody asks:
a frame costs no look-up of a label.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from infra.edge import Edge
    from infra.edge_log import Latencies
    from ingress.server import Server

Name = Literal[
    "chargeledger_connections",
    "chargeledger_sockets",
    "chargeledger_handshakes_opening",
    "chargeledger_records_owed",
    "chargeledger_handshakes_total",
    "chargeledger_frames_total",
    "chargeledger_deliveries_total",
    "chargeledger_records_total",
    "chargeledger_journal_offset",
    "chargeledger_journal_refuses",
    "chargeledger_stations_set_aside",
    "chargeledger_answer_seconds",
    "chargeledger_heartbeat_age_seconds",
    "chargeledger_partition_owned",
    "chargeledger_partition_position",
    "chargeledger_owner_waiting_seconds",
    "chargeledger_stations_owned",
    "chargeledger_projection_lag_seconds",
    "chargeledger_projection_lag_records",
    "chargeledger_projection_poison_records",
]
HELP: Mapping[Name, str] = {
    "chargeledger_connections": "WebSocket connections of stations that are open.",
    "chargeledger_sockets": "Sockets, those that have not said who they are included."
    " Far above connections: somebody knocks and does not enter.",
    "chargeledger_handshakes_opening": "Handshakes that wait for the journal.",
    "chargeledger_records_owed": "Ends of connections that the journal did not take yet."
    " Rises while it cannot be written.",
    "chargeledger_handshakes_total": "Handshakes by outcome; anything but opened was refused.",
    "chargeledger_frames_total": "Frames of stations by action and by what was wrong with them.",
    "chargeledger_deliveries_total": "Frames for stations: written, repeated or failed.",
    "chargeledger_records_total": "Records queued for the journal since the start.",
    "chargeledger_journal_offset": "Durable records by partition; less a projection's position:"
    " its lag in records.",
    "chargeledger_journal_refuses": "1 while the journal cannot be written and doors are closed.",
    "chargeledger_stations_set_aside": "Stations for which nothing is decided, because a record"
    " could not be folded, and values of the log that are no records."
    " Anything but 0 is a bug: look at the log.",
    "chargeledger_answer_seconds": "From reading a frame to sending what was decided because of it,"
    " durably, by action. Rises with the load and with the disk's fsync.",
    "chargeledger_heartbeat_age_seconds": "Since the cluster last took this node's heartbeat."
    " At 10 it closes its connections; owners take it for lost soon after.",
    "chargeledger_partition_owned": "1 once this process decides for the partition; 0 while it"
    " still folds its log.",
    "chargeledger_partition_position": "The next offset that the owner folds.",
    "chargeledger_owner_waiting_seconds": "How long stations of the partition wait while its owner"
    " decides nothing. Rises if it is stuck.",
    "chargeledger_stations_owned": "Stations of the partition.",
    "chargeledger_projection_lag_seconds": "Age of the records that wait to be projected.",
    "chargeledger_projection_lag_records": "Records that are not projected yet.",
    "chargeledger_projection_poison_records": "Records set aside because they cannot be folded."
    " Anything but 0 is a bug: GET /v1/set-aside says which.",
}

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Name, Labels, float]


def edge_metrics(edge: "Edge") -> str:
    lines = _latency_lines(edge.log.latencies)
    return text_of(_edge_samples(edge)) + "".join(f"{line}\n" for line in lines)


def text_of(samples: Iterator[Sample]) -> str:
    """Return the samples in Prometheus' text format; those of one name must come together."""
    lines: list[str] = []
    current = ""
    for name, labels, value in samples:
        if name != current:
            current = name
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} {kind}"]
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        lines.append(f"{name}{{{shown}}} {value:g}" if shown else f"{name} {value:g}")
    return "\n".join(lines) + "\n"


def _edge_samples(edge: "Edge") -> Iterator[Sample]:
    yield from server_samples(edge.server)
    yield "chargeledger_records_total", (), edge.log.records
    for partition, offset in enumerate(edge.journal.durable):
        yield "chargeledger_journal_offset", (("partition", str(partition)),), offset
    yield "chargeledger_journal_refuses", (), float(not edge.log.accepts("", ""))
    aside = sum(len(owner.poisoned) + len(owner.unreadable) for owner in edge.log.owners)
    yield "chargeledger_stations_set_aside", (), aside


def server_samples(server: "Server") -> Iterator[Sample]:
    counters = server.counters()
    yield "chargeledger_connections", (), _number(counters["connections"])
    yield "chargeledger_sockets", (), _number(counters["sockets"])
    yield "chargeledger_handshakes_opening", (), _number(counters["opening"])
    yield "chargeledger_records_owed", (), _number(counters["owed_records"])
    for outcome, count in _mapping(counters["handshakes"]):
        yield "chargeledger_handshakes_total", (("outcome", str(outcome)),), count
    for key, count in _mapping(counters["frames"]):
        assert isinstance(key, tuple)
        action, error = key
        yield "chargeledger_frames_total", (("action", action), ("error", error)), count
    for outcome, count in _mapping(counters["deliveries"]):
        yield "chargeledger_deliveries_total", (("outcome", str(outcome)),), count


def _latency_lines(latencies: Mapping[str, "Latencies"]) -> Iterator[str]:
    name: Name = "chargeledger_answer_seconds"
    yield from (f"# HELP {name} {HELP[name]}", f"# TYPE {name} histogram")
    for action, of_action in latencies.items():
        label = f'action="{_escaped(action)}"'
        total, last = 0, len(of_action.buckets) - 1
        for bits, count in enumerate(of_action.buckets):
            total += count
            edge = "+Inf" if bits == last else f"{((1 << bits) - 1) / 1e6:g}"
            yield f'{name}_bucket{{{label},le="{edge}"}} {total}'
        yield f"{name}_sum{{{label}}} {of_action.sum_us / 1e6:g}"
        yield f"{name}_count{{{label}}} {total}"


def _number(value: object) -> float:
    assert isinstance(value, int)
    return value


def _mapping(value: object) -> Iterator[tuple[object, int]]:
    assert isinstance(value, dict)
    yield from value.items()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
