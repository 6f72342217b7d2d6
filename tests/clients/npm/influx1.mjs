// The `influx` library (InfluxDB 1): node influx1.mjs PORT TOKEN; one JSON line with what it saw.
import { createRequire } from "node:module";
const require = createRequire(process.env.ARC_NPM + "/");
const Influx = require("influx");
const [port, token] = process.argv.slice(2);
const influx = new Influx.InfluxDB({ host: "127.0.0.1", port: Number(port), username: "user", password: token, database: "js1" });
const seen = {};
seen.ping = (await influx.ping(5000)).map(({ online, version }) => ({ online, version }));
await influx.createDatabase("js1");
seen.databases = await influx.getDatabaseNames();
const t0 = new Date("2026-01-05T10:00:00Z").getTime();
await influx.writePoints(
    [0, 1, 2].map((i) => ({ measurement: "cpu", tags: { host: `h ${i % 2}` }, fields: { usage: i + 0.5, text: 'say "hi"' },
                            timestamp: new Date(t0 + i * 1000) })),
    { precision: "ms" });
seen.measurements = await influx.getMeasurements();
try {
    await influx.writeMeasurement("cpu", [{ fields: { usage: "not a number" }, timestamp: new Date(t0) }]);
    seen.conflict = "stored";
} catch (e) {
    seen.conflict = String(e.message);
}
await influx.dropDatabase("js1");
seen.afterDrop = await influx.getDatabaseNames();
console.log(JSON.stringify(seen));
