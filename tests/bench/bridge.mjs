// What the bridge costs the bot: node tests/bench/bridge.mjs
import { spawnSync } from 'node:child_process';
import http from 'node:http';
import { fileURLToPath } from 'node:url';

import { Bridge } from '../../exporter/bridge/bridge.mjs';
import { readOptions } from '../../exporter/bridge/options.mjs';
import { EventLoopLag } from '../../exporter/bridge/process.mjs';
import { FakeOrchestrator } from '../bridge/fixtures/fakes.mjs';

const REGISTER = fileURLToPath(new URL('../../exporter/bridge/register.mjs', import.meta.url));
const ATTACH = new URL('../../exporter/bridge/attach.mjs', import.meta.url).href;
const BOT = fileURLToPath(new URL('../bridge/fixtures/orchestrator.mjs', import.meta.url));
const QUICK = process.argv.includes('--quick');
const ROUNDS = QUICK ? 3 : 15;
const CALLS = QUICK ? 20_000 : 200_000;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const report = (what, text) => console.log(`${what.padEnd(46)} ${text}`);

async function nanoseconds(channel, isAsync) {
  const start = performance.now();
  if (isAsync)
    for (let call = 0; call < CALLS; call += 1)
      await channel.sendMessage('market-hunter', 'content-creator', call);
  else
    for (let call = 0; call < CALLS; call += 1) channel.sendMessage('market-hunter', 'content-creator', call);
  return ((performance.now() - start) * 1e6) / CALLS;
}

/** Two channels of the same make, one of them observed, in turns. */
async function sendMessage(name, makeChannel, isAsync) {
  const [bare, observed] = [makeChannel(), makeChannel()];
  const bridge = new Bridge(readOptions({ port: 0, intervalSeconds: 0 }, {}));
  bridge.attach({ agentCommunicationChannel: observed });
  const times = { bare: [], observed: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    times.bare.push(await nanoseconds(bare, isAsync));
    times.observed.push(await nanoseconds(observed, isAsync));
    for (const channel of [bare, observed]) if (channel.messageQueue) channel.messageQueue.length = 0;
  }
  bridge.stop();
  const [without, with_] = [median(times.bare), median(times.observed)];
  report(
    `sendMessage, ${name}`,
    `${without.toFixed(0)} → ${with_.toFixed(0)} ns: +${(with_ - without).toFixed(0)} ns a message`,
  );
}

function get(port, agent) {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path: '/state', agent }, (response) =>
        response.resume().on('end', resolve),
      )
      .on('error', reject);
  });
}

async function state(agents) {
  const orchestrator = new FakeOrchestrator(
    ...Array.from({ length: agents }, (_, index) => `agent-number-${index}`),
  );
  const bridge = new Bridge(readOptions({ port: 0, intervalSeconds: 30 }, {}));
  bridge.start();
  bridge.attach(orchestrator);
  const ids = [...orchestrator.agents.keys()];
  for (const id of ids) orchestrator.agentCommunicationChannel.sendMessage(id, ids[0], {});
  while ((bridge.document().selfReports?.length ?? 0) < agents) await sleep(20);

  const builds = [];
  for (let round = 0; round < ROUNDS * 5; round += 1) {
    const start = performance.now();
    Buffer.from(JSON.stringify(bridge.document()));
    builds.push(performance.now() - start);
  }
  const agent = new http.Agent({ keepAlive: true });
  const { port } = bridge.address();
  const requests = [];
  for (let round = 0; round < ROUNDS * 5; round += 1) {
    const start = performance.now();
    await get(port, agent);
    requests.push(performance.now() - start);
    await sleep(5);
  }
  agent.destroy();
  bridge.stop();
  report(
    `/state, ${agents} agents`,
    `${(bridge.body().length / 1024).toFixed(0)} KiB; ` +
      `built in ${median(builds).toFixed(2)} ms, at most once a second; asked for and read in ${median(requests).toFixed(2)} ms`,
  );
}

function post(port, body, agent) {
  const headers = { authorization: 'Bearer key', 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    http
      .request({ host: '127.0.0.1', port, path: '/actions', method: 'POST', headers, agent }, (response) =>
        response.resume().on('end', resolve),
      )
      .on('error', reject)
      .end(JSON.stringify(body));
  });
}

/** From the request to the answer, with an agent whose goals are as many as are looked at. */
async function action() {
  const orchestrator = new FakeOrchestrator('market-hunter');
  orchestrator.agents.get('market-hunter').goals = Object.fromEntries(
    Array.from({ length: 200 }, (_, index) => [`goal${index}`, index]),
  );
  const given = { port: 0, intervalSeconds: 0, allowActions: 'adjust_autonomy', actionsToken: 'key' };
  const bridge = new Bridge(readOptions(given, {}));
  bridge.start();
  bridge.attach(orchestrator);
  while (!bridge.address()) await sleep(20);
  const agent = new http.Agent({ keepAlive: true });
  const times = [];
  for (let round = 0; round < ROUNDS * 2; round += 1) {
    const request = {
      version: 1,
      id: `bench-${round}`,
      botStart: performance.timeOrigin / 1000,
      action: 'adjust_autonomy',
      agent: 'market-hunter',
      direction: round % 2 ? 'raise' : 'lower',
    };
    const start = performance.now();
    await post(bridge.address().port, request, agent);
    times.push(performance.now() - start);
    await sleep(5);
  }
  agent.destroy();
  bridge.stop();
  report('adjust_autonomy, 200 values in the goals', `asked for and done in ${median(times).toFixed(2)} ms`);
}

/** CPU time of this process, as a share of a core, with and without the monitor in turns. */
async function eventLoop() {
  const cpu = async () => {
    const before = process.cpuUsage();
    await sleep(1000);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  const times = { idle: [], watched: [] };
  for (let round = 0; round < (QUICK ? 1 : 5); round += 1) {
    times.idle.push(await cpu());
    const lag = new EventLoopLag();
    lag.start();
    times.watched.push(await cpu());
    lag.stop();
  }
  const [idle, watched] = [median(times.idle), median(times.watched)];
  report('event loop delay', `${(idle * 100).toFixed(2)} → ${(watched * 100).toFixed(2)} % of a core`);
}

function starting() {
  const run = (...args) => {
    const start = performance.now();
    const env = { ...process.env, TWEETBOT_BRIDGE_PORT: '0', WORK_MILLISECONDS: '1' };
    spawnSync(process.execPath, [...args, BOT], { env });
    return performance.now() - start;
  };
  const times = { bare: [], registered: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    times.bare.push(run());
    times.registered.push(run('--import', REGISTER));
  }
  report(
    'a bot with nothing to do, start to end',
    `${median(times.bare).toFixed(0)} → ${median(times.registered).toFixed(0)} ms`,
  );
}

/** Resident memory of a bot that uses node:http itself, as the public bot does. */
function memory() {
  const load = (text) => ['--import', `data:text/javascript,${encodeURIComponent(text)}`];
  const measured = load(
    `import http from 'node:http'; http.createServer().listen(0).unref();
    process.on('exit', () => console.log('rss', process.memoryUsage.rss()));`,
  );
  const attached = load(
    `import { attach } from ${JSON.stringify(ATTACH)}; attach({ agents: new Map() }, { port: 0 });`,
  );
  const run = (...args) => {
    const env = { ...process.env, TWEETBOT_BRIDGE_PORT: '0', WORK_MILLISECONDS: '1500' };
    const { stdout } = spawnSync(process.execPath, [...measured, ...args, BOT], { env, encoding: 'utf8' });
    return Number(/rss (\d+)/.exec(stdout)[1]) / 2 ** 20;
  };
  const megabytes = { bare: [], attached: [], registered: [] };
  for (let round = 0; round < (QUICK ? 1 : 5); round += 1) {
    megabytes.bare.push(run());
    megabytes.attached.push(run(...attached));
    megabytes.registered.push(run('--import', REGISTER));
  }
  const [bare, ...with_] = Object.values(megabytes).map((values) => median(values).toFixed(1));
  report('memory', `${bare} MiB; ${with_[0]} with attach(), ${with_[1]} with --import`);
}

console.log(`node ${process.version}, ${QUICK ? 'quick' : `median of ${ROUNDS} rounds`}`);
await sendMessage('sync, empty', () => ({ sendMessage() {} }), false);
await sendMessage(
  'sync, as the bot has it',
  () => ({
    messageQueue: [],
    sendMessage(fromAgent, toAgent, message) {
      this.messageQueue.push({ fromAgent, toAgent, message, timestamp: new Date() });
    },
  }),
  false,
);
await sendMessage(
  'async',
  () => ({
    messageQueue: [],
    async sendMessage(from, to, message) {
      this.messageQueue.push({ from, to, message });
    },
  }),
  true,
);
await state(14);
await state(1000);
await action();
await eventLoop();
starting();
memory();
