// Processes of a bot that have no orchestrator.
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';

import {
  BRIDGE,
  REGISTER,
  assertValid,
  folder,
  freePort,
  request,
  sleep,
  start,
  stateWhen,
  until,
} from './support.mjs';

/** As the market hunter of the public bot: an agent of its own class, which tells its numbers as its state. */
const HUNTER = `export class AutonomousHunter {
  sources = new Map([['whales', { totalCalls: 4, successRate: 0.75 }], ['news', { totalCalls: 2 }]]);
  isRunning = false;
  start() { this.isRunning = true; setInterval(() => {}, 1000); }
  getAgentState() {
    const sourceMetrics = Array.from(this.sources, ([name, metrics]) => ({ name, ...metrics }));
    return { isRunning: this.isRunning, sourceMetrics, config: { learningRate: 0.1 } };
  }
}
export const hunter = new AutonomousHunter();
`;
/** As its execution agents: the class is not exported. */
const TRADER = `class ExecutionTrader {
  isRunning = true;
  async makeDecision() {}
  start() { setInterval(() => this.makeDecision(), 20); }
}
new ExecutionTrader().start();
`;

async function startBot(context, files, env = {}) {
  const port = await freePort();
  const cwd = folder(context, files);
  const bot = start(['--import', REGISTER, path.join(cwd, Object.keys(files).at(-1))], {
    cwd,
    env: { TWEETBOT_BRIDGE_PORT: String(port), TWEETBOT_BRIDGE_INTERVAL_SECONDS: '0.1', ...env },
  });
  context.after(() => bot.child.kill('SIGKILL'));
  return { ...bot, port, cwd };
}

describe('processes', { concurrency: 4 }, () => {
  test('an agent of its own class, and its state as a report', async (context) => {
    const bot = await startBot(context, {
      'hunter.mjs': HUNTER,
      'main.mjs': `import { hunter } from './hunter.mjs';\nhunter.start();`,
    });
    const document = await stateWhen(bot.port, ({ selfReports }) => selfReports?.length > 0);
    assertValid(document);
    assert.equal(document.process.name, 'main');
    assert.deepEqual(document.agents, [{ id: 'autonomous-hunter', running: true }]);
    assert.deepEqual(document.selfReports[0].report, {
      sourceMetrics: { whales: { totalCalls: 4, successRate: 0.75 }, news: { totalCalls: 2 } },
      config: { learningRate: 0.1 },
    });
    assert.equal(document.orchestrator, undefined);
  });

  test('an agent whose class is not exported', async (context) => {
    const bot = await startBot(context, { 'trader.mjs': TRADER });
    const { agents } = await stateWhen(bot.port);
    assert.deepEqual(agents, [{ id: 'execution-trader', running: true }]);
  });

  test('a process that opens a database', async (context) => {
    const source = `import { openSync } from 'node:fs';\nopenSync(process.env.DATABASE, 'a+');
      setInterval(() => {}, 1000);`;
    const database = path.join(folder(context), 'trading.db');
    const bot = await startBot(context, { 'server.mjs': source }, { DATABASE: database });
    const document = await stateWhen(bot.port);
    assertValid(document);
    assert.deepEqual(
      document.process.databases.map((each) => each.path),
      [database],
    );
    assert.equal(document.agents, undefined);
    assert.equal(bot.output.stderr, '');
  });

  test('a process in which nothing is found says so, and takes no port', async (context) => {
    const watch = `import { watchProcess } from '${pathToFileURL(BRIDGE)}watch.mjs';\nwatchProcess(10, 3);
      setInterval(() => {}, 1000);`;
    const port = await freePort();
    const bot = start(['--input-type=module', '--eval', watch], { env: { TWEETBOT_BRIDGE_PORT: String(port) } });
    context.after(() => bot.child.kill('SIGKILL'));
    await until(() => bot.output.stderr, 'its line');
    assert.match(bot.output.stderr, /^tweetbot-bridge: no orchestrator, agent or database was found in .*\n$/);
    await sleep(100);
    await assert.rejects(request(port));
  });
});
