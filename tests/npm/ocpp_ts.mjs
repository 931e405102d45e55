// node ocpp_ts.mjs URL STATION: a session of an ocpp-ts station (1.6), which checks every answer
// against the schemas. Then it waits for a Reset. Exits with 0 if every answer was valid.

import ocpp from "ocpp-ts";

import { expect, session16 } from "./sessions.mjs";

const [endpoint, identity] = process.argv.slice(2);
const station = new ocpp.OcppClient(identity);

function fail(error) {
  console.error(error);
  process.exit(1);
}

const reset = new Promise((resolve) => {
  station.on("Reset", (request, answer) => {
    answer({ status: "Accepted" });
    setTimeout(() => resolve(request), 200);
  });
});
station.on("error", fail);
station.on("close", (code) => fail(new Error(`closed with ${code}`)));
station.on("connect", async () => {
  try {
    await session16((action, payload) => station.callRequest(action, payload), "BOB");
    console.log("ready");
    const request = await reset;
    expect(request.type === "Soft", "what is reset", request);
    process.exit(0);
  } catch (error) {
    fail(error);
  }
});
setTimeout(() => fail(new Error("not in time")), 120_000);
station.connect(`${endpoint}/`);
