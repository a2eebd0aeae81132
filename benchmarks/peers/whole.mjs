// TrackHAR over a whole HAR: node whole.mjs HAR PACKAGES_FOLDER. Prints the CPU seconds of its work, without Node's start.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [file, packages] = process.argv.slice(2);
const { process: processHar } = await import(pathToFileURL(path.resolve(packages, "node_modules/trackhar/dist/index.js")));
const before = process.cpuUsage();
await processHar(JSON.parse(fs.readFileSync(file, "utf8")));
const used = process.cpuUsage(before);
process.stdout.write(`${(used.user + used.system) / 1e6}\n`);
