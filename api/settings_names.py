"""Settings that 1.6 and 2.x both have, under their names there.

A key of 1.6 is "HeartbeatInterval"; a variable of 2.x is "Component.Variable", with instances as
"Component[instance].Variable[instance]".
"""

import re
from collections.abc import Mapping
from typing import Any

VARIABLE_BY_KEY: Mapping[str, str] = {
    "AllowOfflineTxForUnknownId": "AuthCtrlr.OfflineTxForUnknownIdEnabled",
    "AuthorizationCacheEnabled": "AuthCacheCtrlr.Enabled",
    "AuthorizationKey": "SecurityCtrlr.BasicAuthPassword",
    "AuthorizeRemoteTxRequests": "AuthCtrlr.AuthorizeRemoteStart",
    "ClockAlignedDataInterval": "AlignedDataCtrlr.Interval",
    "ConnectionTimeOut": "TxCtrlr.EVConnectionTimeOut",
    "CpoName": "SecurityCtrlr.OrganizationName",
    "HeartbeatInterval": "OCPPCommCtrlr.HeartbeatInterval",
    "LocalAuthListEnabled": "LocalAuthListCtrlr.Enabled",
    "LocalAuthorizeOffline": "AuthCtrlr.LocalAuthorizeOffline",
    "LocalPreAuthorize": "AuthCtrlr.LocalPreAuthorize",
    "MaxEnergyOnInvalidId": "TxCtrlr.MaxEnergyOnInvalidId",
    "MeterValueSampleInterval": "SampledDataCtrlr.TxUpdatedInterval",
    "MeterValuesAlignedData": "AlignedDataCtrlr.Measurands",
    "MeterValuesSampledData": "SampledDataCtrlr.TxUpdatedMeasurands",
    "ResetRetries": "OCPPCommCtrlr.ResetRetries",
    "StopTransactionOnEVSideDisconnect": "TxCtrlr.StopTxOnEVSideDisconnect",
    "StopTransactionOnInvalidId": "TxCtrlr.StopTxOnInvalidId",
    "StopTxnAlignedData": "AlignedDataCtrlr.TxEndedMeasurands",
    "StopTxnSampledData": "SampledDataCtrlr.TxEndedMeasurands",
    "TransactionMessageAttempts": "OCPPCommCtrlr.MessageAttempts[TransactionEvent]",
    "TransactionMessageRetryInterval": "OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]",
    "WebSocketPingInterval": "OCPPCommCtrlr.WebSocketPingInterval",
}
_KEY_BY_VARIABLE = {variable: key for key, variable in VARIABLE_BY_KEY.items()}
_VARIABLE = re.compile(r"([^.\[\]]+)(?:\[([^\[\]]+)\])?\.([^.\[\]]+)(?:\[([^\[\]]+)\])?")


def key_of(name: str) -> str | None:
    """Return the configuration key of 1.6; None if that has none for this variable."""
    variable = _VARIABLE.fullmatch(name)
    if variable is None or not variable[1].endswith("Ctrlr"):
        # Keys of vendors may have dots, too.
        return name
    return _KEY_BY_VARIABLE.get(name)


def variable_of(name: str) -> dict[str, Any] | None:
    """Return component and variable of 2.x; None for a key of 1.6 that has none there."""
    match = _VARIABLE.fullmatch(VARIABLE_BY_KEY.get(name, name))
    if match is None:
        return None
    component, component_instance, variable, variable_instance = match.groups()
    return {
        "component": _named(component, component_instance),
        "variable": _named(variable, variable_instance),
    }


def _named(name: str, instance: str | None) -> dict[str, str]:
    return {"name": name} if instance is None else {"name": name, "instance": instance}
