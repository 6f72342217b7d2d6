// @influxdata/influxdb-client (InfluxDB 2): node influx2.mjs URL TOKEN; one JSON line with what it saw.
import { createRequire } from "node:module";
const require = createRequire(process.env.ARC_NPM + "/");
const { InfluxDB, Point } = require("@influxdata/influxdb-client");
const { PingAPI, HealthAPI, ReadyAPI } = require("@influxdata/influxdb-client-apis");
const [url, token] = process.argv.slice(2);
const influx = new InfluxDB({ url, token });
const seen = { errors: [] };
await new PingAPI(influx).getPing();
seen.health = (await new HealthAPI(influx).getHealth()).name !== undefined;
const t0 = new Date("2026-01-05T10:00:00Z").getTime();
// a small threshold for gzip: the body then comes chunked
const writer = influx.getWriteApi("org", "js2", "ms", { gzipThreshold: 64, batchSize: 500, maxRetries: 0,
    writeFailed: (error) => { seen.errors.push(error.message); } });
for (let i = 0; i < 1200; i++)
    writer.writePoint(new Point("mem").tag("host", `h${i % 3}`).intField("used", i).booleanField("up", true).timestamp(t0 + i));
await writer.close();
const refused = new InfluxDB({ url, token: "wrong" }).getWriteApi("org", "js2", "ms", { maxRetries: 0,
    writeFailed: (error) => { seen.refused = error.statusCode; return Promise.resolve(); } });
refused.writePoint(new Point("mem").intField("used", 1));
await refused.close();
try {
    await influx.getQueryApi("org").collectRows("buckets()");
    seen.flux = "answered";
} catch (e) {
    seen.flux = { status: e.statusCode, message: e.message };
}
console.log(JSON.stringify(seen));
