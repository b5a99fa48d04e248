// Preloaded into the public bot's processes: no request leaves the machine, and its timers are shortened.
import http from 'node:http';
import https from 'node:https';

const MINUTE = 60_000;
const ANSWERS = [
  ['simple/price', () => ({ bitcoin: { usd: 95_000, usd_24h_change: 1.5, last_updated_at: Date.now() / 1000 } })],
  ['market_chart', () => ({ prices: Array.from({ length: 50 }, (_, index) => [index, 95_000 + index]) })],
];

const server = http.createServer((request, response) => {
  const answer = ANSWERS.find(([part]) => request.url.includes(part))?.[1] ?? (() => ({ articles: [], data: [] }));
  response.setHeader('content-type', 'application/json').end(JSON.stringify(answer()));
});
server.listen(0, '127.0.0.1').unref();

const isLocal = ({ socketPath, hostname, host }) => socketPath || ['127.0.0.1', 'localhost'].includes(hostname ?? host);

const request = http.request;
const redirected = (module) =>
  function (options, ...rest) {
    const target = typeof options === 'string' ? new URL(options) : options;
    if (isLocal(target)) return Reflect.apply(module, this, [options, ...rest]);
    const { method = 'GET', path = target.pathname + target.search } = target;
    const local = { host: '127.0.0.1', port: server.address().port, method, path };
    return request(local, rest.find((each) => typeof each === 'function'));
  };
[http.request, https.request] = [redirected(http.request), redirected(https.request)];
globalThis.fetch = async () => {
  throw new Error('no network');
};

const shortened = (timer) => (callback, delay, ...rest) =>
  timer(callback, delay >= MINUTE ? Math.max(1000, delay / 60) : delay, ...rest);
globalThis.setInterval = shortened(setInterval);
globalThis.setTimeout = shortened(setTimeout);
