// What a station tells in one session, by version: actions and payloads, valid by their schemas.

const at = (minute) => `2026-05-04T10:${String(minute).padStart(2, "0")}:00.000Z`;

const sampled16 = (wh, context) => ({
  timestamp: at(30),
  sampledValue: [
    { value: String(wh), context, measurand: "Energy.Active.Import.Register", unit: "Wh" },
  ],
});

export async function session16(call, idTag) {
  const boot = await call("BootNotification", {
    chargePointVendor: "Foreign",
    chargePointModel: "Node",
  });
  expect(boot.status === "Accepted", "the boot is accepted", boot);
  await call("StatusNotification", { connectorId: 1, errorCode: "NoError", status: "Preparing" });
  const authorized = await call("Authorize", { idTag });
  expect(authorized.idTagInfo.status === "Accepted", "the token is accepted", authorized);
  const started = await call("StartTransaction", {
    connectorId: 1,
    idTag,
    meterStart: 1000,
    timestamp: at(0),
  });
  const { transactionId } = started;
  expect(Number.isInteger(transactionId), "the transaction has an id", started);
  await call("MeterValues", {
    connectorId: 1,
    transactionId,
    meterValue: [sampled16(1500, "Sample.Periodic")],
  });
  await call("StopTransaction", { transactionId, idTag, meterStop: 1734, timestamp: at(59) });
  await call("FirmwareStatusNotification", { status: "Idle" });
  await call("DiagnosticsStatusNotification", { status: "Idle" });
  await call("DataTransfer", { vendorId: "foreign.example" });
  await call("Heartbeat", {});
}

const sampled2 = (wh, context) => ({
  timestamp: at(30),
  sampledValue: [{ value: wh, context, measurand: "Energy.Active.Import.Register" }],
});

export async function session2(call, idToken, transactionId) {
  const boot = await call("BootNotification", {
    reason: "PowerUp",
    chargingStation: { vendorName: "Foreign", model: "Node" },
  });
  expect(boot.status === "Accepted", "the boot is accepted", boot);
  const token = { idToken, type: "Central" };
  await call("StatusNotification", {
    timestamp: at(0),
    connectorStatus: "Occupied",
    evseId: 1,
    connectorId: 1,
  });
  const authorized = await call("Authorize", { idToken: token });
  expect(authorized.idTokenInfo.status === "Accepted", "the token is accepted", authorized);
  const events = [
    ["Started", "CablePluggedIn", 0, sampled2(1000, "Transaction.Begin")],
    ["Updated", "MeterValuePeriodic", 1, sampled2(1500, "Sample.Periodic")],
    ["Ended", "EVDeparted", 2, sampled2(1734, "Transaction.End")],
  ];
  for (const [eventType, triggerReason, seqNo, value] of events) {
    const payload = {
      eventType,
      triggerReason,
      seqNo,
      timestamp: at(seqNo),
      transactionInfo: { transactionId },
      evse: { id: 1, connectorId: 1 },
      meterValue: [value],
    };
    await call("TransactionEvent", seqNo === 0 ? { ...payload, idToken: token } : payload);
  }
  await call("MeterValues", { evseId: 1, meterValue: [sampled2(1734, "Sample.Clock")] });
  await call("NotifyEvent", {
    generatedAt: at(1),
    seqNo: 0,
    eventData: [
      {
        eventId: 1,
        timestamp: at(1),
        trigger: "Alerting",
        actualValue: "true",
        eventNotificationType: "HardWiredNotification",
        component: { name: "EVSE" },
        variable: { name: "Problem" },
      },
    ],
  });
  await call("SecurityEventNotification", { type: "StartupOfTheDevice", timestamp: at(0) });
  await call("FirmwareStatusNotification", { status: "Idle" });
  await call("LogStatusNotification", { status: "Idle" });
  await call("DataTransfer", { vendorId: "foreign.example" });
  await call("Heartbeat", {});
}

export function expect(holds, what, seen) {
  if (!holds) {
    throw new Error(`${what}: ${JSON.stringify(seen)}`);
  }
}
