// node ocpp_rpc.mjs URL STATION VERSION: a session of an ocpp-rpc station in strict mode, which
// checks every frame of both sides against the schemas of the version. Then it waits for a Reset.
// Exits with 0 if every answer was valid, and the Reset was.

import { createRequire } from "node:module";

import rpc from "ocpp-rpc";

import { expect, session16, session2 } from "./sessions.mjs";

const [endpoint, identity, version] = process.argv.slice(2);
// The package looks for "urn:Action.req" in its schemas of 2.1, which call it "urn:ActionRequest".
const load = createRequire(import.meta.url);
const schemas21 = load("ocpp-rpc/lib/schemas/ocpp2_1.json").map((schema) => ({
  ...schema,
  $id: schema.$id.replace(/Request$/, ".req").replace(/Response$/, ".conf"),
}));
const station = new rpc.RPCClient({
  endpoint,
  identity,
  protocols: [`ocpp${version}`],
  strictMode: true,
  strictModeValidators: version === "2.1" ? [rpc.createValidator("ocpp2.1", schemas21)] : [],
  reconnect: false,
  callTimeoutMs: 20_000,
});
const reset = new Promise((resolve, reject) => {
  station.on("strictValidationFailure", ({ error }) => reject(error));
  station.handle("Reset", ({ params }) => {
    setTimeout(() => resolve(params), 200);
    return { status: "Accepted" };
  });
});
const call = (action, payload) => station.call(action, payload);

async function refuses(action, payload, code) {
  try {
    await call(action, payload);
  } catch (error) {
    expect(error.rpcErrorCode === code, `${action} gets ${code}`, error.rpcErrorCode);
    return;
  }
  throw new Error(`${action} was not refused`);
}

try {
  await station.connect();
  expect(station.protocol === `ocpp${version}`, "the sub-protocol", station.protocol);
  const session = version === "1.6" ? session16 : session2;
  await session(call, "ALICE", `${identity}-T1`);
  await refuses("Reset", { type: version === "1.6" ? "Soft" : "Immediate" }, "NotSupported");
  console.log("ready");
  let late;
  const params = await Promise.race([
    reset,
    new Promise((_, reject) => {
      late = setTimeout(() => reject(new Error("no Reset came")), 90_000);
    }),
  ]);
  clearTimeout(late);
  expect(params.type !== undefined, "what is reset", params);
  await station.close({ code: 1000 });
} catch (error) {
  console.error(error);
  process.exit(1);
}
