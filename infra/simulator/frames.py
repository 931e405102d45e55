"""OCPP 1.6 payloads and OCPP-J frames, as a station writes them. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from infra.simulator.json_types import Json, Payload
from infra.simulator.session import Sample, SessionPlan, current_per_phase_a

CALL, CALLRESULT, CALLERROR = 2, 3, 4
VENDOR = "ChargeLedger"
MODEL = "Simulated"
FIRMWARE = "1.0.0"


def call(message_id: str, action: str, payload: Payload) -> str:
    return orjson.dumps([CALL, message_id, action, payload]).decode()


def result(message_id: str, payload: Payload) -> str:
    return orjson.dumps([CALLRESULT, message_id, payload]).decode()


def error(message_id: str, code: str, description: str) -> str:
    return orjson.dumps([CALLERROR, message_id, code, description, {}]).decode()


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def boot(station: str) -> Payload:
    return {
        "chargePointVendor": VENDOR,
        "chargePointModel": MODEL,
        "chargePointSerialNumber": station[:25],
        "firmwareVersion": FIRMWARE,
    }


def status(
    connector_id: int, state: str, at: datetime, *, error_code: str = "NoError", vendor: str = ""
) -> Payload:
    payload: Payload = {
        "connectorId": connector_id,
        "errorCode": error_code,
        "status": state,
        "timestamp": moment(at),
    }
    if vendor:
        payload |= {"vendorId": VENDOR, "vendorErrorCode": vendor}
    return payload


def start(plan: SessionPlan, *, at: datetime, meter_start_wh: int) -> Payload:
    return {
        "connectorId": plan.connector_id,
        "idTag": plan.id_token,
        "meterStart": meter_start_wh,
        "timestamp": moment(at),
    }


def meter_values(connector_id: int, values: Sequence[Payload]) -> Payload:
    """Without the transaction's id: it is put in when the message leaves."""
    return {"connectorId": connector_id, "meterValue": list(values)}


def stop(
    id_token: str | None,
    *,
    at: datetime,
    meter_stop_wh: int,
    reason: str,
    data: Sequence[Payload],
) -> Payload:
    payload: Payload = {} if id_token is None else {"idTag": id_token}
    payload |= {"meterStop": meter_stop_wh, "timestamp": moment(at), "reason": reason}
    return payload | {"transactionData": list(data)}


def meter_value(sample: Sample, *, at: datetime, register_wh: int, context: str) -> Payload:
    def value(text: str, measurand: str, unit: str, **more: str) -> Payload:
        return {"value": text, "context": context, "measurand": measurand, "unit": unit} | more

    sampled = [
        value(str(register_wh), "Energy.Active.Import.Register", "Wh", location="Outlet"),
        value(str(sample.power_w), "Power.Active.Import", "W", location="Outlet"),
    ]
    if sample.soc_percent is not None:
        sampled.append(value(str(sample.soc_percent), "SoC", "Percent", location="EV"))
    else:
        current = current_per_phase_a(sample.power_w)
        sampled += [
            value(current, "Current.Import", "A", phase=phase, location="Outlet")
            for phase in ("L1", "L2", "L3")
        ]
    return {"timestamp": moment(at), "sampledValue": sampled}


def register_value(at: datetime, register_wh: int, context: str) -> Payload:
    return {
        "timestamp": moment(at),
        "sampledValue": [
            {
                "value": str(register_wh),
                "context": context,
                "measurand": "Energy.Active.Import.Register",
                "unit": "Wh",
            }
        ],
    }


def parse(text: str | bytes) -> Json:
    """
    Raises:
        ValueError: this is not JSON.
    """
    return orjson.loads(text)
