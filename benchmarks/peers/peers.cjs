// Runs the peers on requests that compare.py wrote, and prints what each made of each request, as JSON.
// node peers.cjs REQUESTS.json PACKAGES_FOLDER|"" [OMNIBUG_CHECKOUT]
"use strict";
const fs = require("fs");
const path = require("path");
const vm = require("vm");
const { pathToFileURL } = require("url");

const [requestsFile, packages, omnibug] = process.argv.slice(2);
const requests = JSON.parse(fs.readFileSync(requestsFile, "utf8"));
const modules = path.join(packages || ".", "node_modules");
const version = (name) => JSON.parse(fs.readFileSync(path.join(modules, name, "package.json"), "utf8")).version;

function each(read) {
  return requests.map((request) => {
    try {
      return read(request) ?? null;
    } catch (error) {
      return { error: String(error).slice(0, 200) };
    }
  });
}

function blacklight() {
  const { generateReport } = require(path.join(modules, "@themarkup/blacklight-collector/build/parser.js"));
  return each((request) => {
    // As its own inspector hands a request on; the filter lists before it are left out, which favours it.
    let body = {};
    if (request.body) {
      try {
        body = JSON.parse(request.body);
      } catch {
        body = request.body;
      }
    }
    const query = Object.fromEntries(new URL(request.url).searchParams);
    const message = { type: "TrackingRequest", url: request.url, data: { query, body }, stack: [] };
    return generateReport("tiktok_pixel_events", [{ level: "warn", message }], "", request.page)[0];
  });
}

async function trackhar() {
  const { processRequest, unhar } = await import(pathToFileURL(path.join(modules, "trackhar/dist/index.js")));
  return each((request) => {
    const url = new URL(request.url);
    const entry = {
      startedDateTime: new Date(0).toISOString(), time: 0, cache: {}, timings: { send: 0, wait: 0, receive: 0 },
      request: {
        method: request.method, url: request.url, httpVersion: "HTTP/1.1", headers: request.headers, cookies: [],
        queryString: [...url.searchParams].map(([name, value]) => ({ name, value })), headersSize: -1, bodySize: -1,
        ...(request.body ? { postData: { mimeType: "text/plain", text: request.body } } : {}),
      },
      response: { status: 200, statusText: "", httpVersion: "HTTP/1.1", headers: [], cookies: [], redirectURL: "",
        content: { size: 0, mimeType: "" }, headersSize: -1, bodySize: -1 },
    };
    const [one] = unhar({ log: { version: "1.2", creator: { name: "", version: "" }, entries: [entry] } });
    return processRequest(one);
  });
}

function omnibugOf(checkout) {
  // The extension concatenates its providers and runs them in a page: plain scripts, which need no browser to load.
  const inside = path.join(checkout, "src", "providers");
  const folder = fs.existsSync(inside) ? inside : checkout;
  const text = ["BaseProvider.js", "TikTok.js"].map((name) => fs.readFileSync(path.join(folder, name), "utf8")).join("\n");
  const quiet = { log() {}, error() {}, warn() {} };
  const world = { URL, URLSearchParams, decodeURIComponent, console: quiet };
  const provider = vm.runInNewContext(`${text}\nnew TikTokProvider()`, world);
  return each((request) => (provider.checkUrl(request.url) ? provider.parseUrl(request.url, request.body || "").data : null));
}

function omnibugName(checkout) {
  const file = path.join(checkout, "package.json");
  return fs.existsSync(file) ? `Omnibug ${JSON.parse(fs.readFileSync(file, "utf8")).version}` : "Omnibug";
}

(async () => {
  const made = {};
  if (packages) {
    made[`Blacklight ${version("@themarkup/blacklight-collector")}`] = blacklight();
    made[`TrackHAR ${version("trackhar")}`] = await trackhar();
  }
  if (omnibug) made[omnibugName(omnibug)] = omnibugOf(omnibug);
  process.stdout.write(JSON.stringify(made));
})();
