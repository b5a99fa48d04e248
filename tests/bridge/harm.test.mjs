// Whatever happens to the bridge, the bot does not notice.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import {
  REGISTER,
  assertFits,
  folder,
  freePort,
  post,
  request,
  run,
  start,
  stateWhen,
  until,
} from './support.mjs';

const BOT = fileURLToPath(new URL('./fixtures/orchestrator.mjs', import.meta.url));
const HOSTILE = 'good,throwing,hanging,cyclic,huge,hostile';

const LATE = 2500; // what would hold the process does so for 5 s or more

const ACTIONS = {
  TWEETBOT_BRIDGE_ALLOW_ACTIONS: 'execute_adaptation,adjust_autonomy,pause',
  TWEETBOT_BRIDGE_ACTIONS_TOKEN: 'actions-key',
};
const ALLOWED = 'tweetbot-bridge: actions are allowed: execute_adaptation, adjust_autonomy, pause\n';

const environment = (port, more) => ({
  TWEETBOT_BRIDGE_PORT: String(port),
  TWEETBOT_BRIDGE_INTERVAL_SECONDS: '0.1',
  ...more,
});

async function startBot(context, env) {
  const port = await freePort();
  const bot = start(['--import', REGISTER, BOT], { env: environment(port, env) });
  context.after(() => bot.child.kill('SIGKILL'));
  return { ...bot, port };
}

/** Milliseconds from the end of the bot's work to the end of its process. */
function lastMilliseconds({ stdout, ended }) {
  return ended - Number(/ending (\d+)/.exec(stdout)[1]);
}

const timed = async (outcome) => ({ ...(await outcome), ended: Date.now() });

/** What the bot says, without what differs from run to run, and without what the bridge says of slow agents. */
const said = (text) => text.replace(/ending \d+|\n\s+at .*|^tweetbot-bridge: .* called less often\n/gm, '');

describe('harm', { concurrency: 2 }, () => {
  for (const ENDING of ['none', 'exit', 'code', 'throw', 'reject', 'message', 'cycle', 'kill']) {
    test(`the same end, at the same time: ${ENDING}`, async (context) => {
      const env = { ENDING, AGENTS: HOSTILE, WORK_MILLISECONDS: '2000' };
      const bare = await timed(run([BOT], { env }));
      const bot = await startBot(context, env);
      const outcome = timed(bot.outcome);
      const agent = new http.Agent({ keepAlive: true });
      context.after(() => agent.destroy());
      await until(() => request(bot.port).catch(() => undefined), 'the bridge');
      net.connect(bot.port, '127.0.0.1').on('error', () => {});
      const asking = setInterval(() => request(bot.port, { agent }).catch(() => {}), 20);
      const bridged = await outcome;
      clearInterval(asking);
      assert.deepEqual([bridged.code, bridged.signal], [bare.code, bare.signal]);
      assert.equal(said(bridged.stdout), said(bare.stdout));
      assert.equal(said(bridged.stderr), said(bare.stderr));
      const late = lastMilliseconds(bridged) - lastMilliseconds(bare);
      assert.ok(late < LATE, `${late} ms later`);
    });
  }

  for (const ENDING of ['none', 'code', 'throw', 'kill']) {
    test(`the same end, at the same time, while an action hangs: ${ENDING}`, async (context) => {
      const env = { ENDING, AGENTS: HOSTILE, WORK_MILLISECONDS: '4000' };
      const bare = await timed(run([BOT], { env }));
      const bot = await startBot(context, { ...env, ...ACTIONS });
      const outcome = timed(bot.outcome);
      const { process } = await stateWhen(bot.port, ({ agents }) => agents?.length > 0);
      const adapt = (id, agent) =>
        post(bot.port, {
          version: 1,
          id,
          botStart: process.startTime,
          action: 'execute_adaptation',
          agent,
          adaptations: ['STRATEGY_ADJUSTMENT'],
        });
      assert.equal(JSON.parse((await adapt('1', 'good')).body).status, 'done');
      assert.equal(JSON.parse((await adapt('2', 'throwing')).body).status, 'failed');
      const hanging = assert.rejects(adapt('3', 'hanging'));
      const bridged = await outcome;
      await hanging;
      assert.deepEqual([bridged.code, bridged.signal], [bare.code, bare.signal]);
      assert.equal(said(bridged.stdout), said(bare.stdout));
      assert.equal(said(bridged.stderr).replace(ALLOWED, ''), said(bare.stderr));
      const late = lastMilliseconds(bridged) - lastMilliseconds(bare);
      assert.ok(late < LATE, `${late} ms later`);
    });
  }

  test('an action that holds up the event loop is done once, and the bot goes on', async (context) => {
    const bot = await startBot(context, { AGENTS: 'blocking', WORK_MILLISECONDS: '8000', ...ACTIONS });
    const { process } = await stateWhen(bot.port, ({ agents }) => agents?.length > 0);
    const common = { version: 1, id: 'a', botStart: process.startTime, action: 'execute_adaptation' };
    const adapt = { ...common, agent: 'blocking', adaptations: ['STRATEGY_ADJUSTMENT'] };
    const start = performance.now();
    await post(bot.port, adapt).catch(() => undefined);
    assert.equal(JSON.parse((await post(bot.port, adapt)).body).status, 'done');
    assert.ok(performance.now() - start < 10_000);
    assert.equal((await bot.outcome).code, 0);
  });

  test('actions with wrong options are off, the state is served', async (context) => {
    for (const wrong of [
      { TWEETBOT_BRIDGE_ALLOW_ACTIONS: 'pause,sell' },
      { TWEETBOT_BRIDGE_ACTIONS_TOKEN: '' },
    ]) {
      const bot = await startBot(context, { WORK_MILLISECONDS: '1500', ...ACTIONS, ...wrong });
      await stateWhen(bot.port);
      assert.equal((await post(bot.port, {})).status, 404);
      const { code, stderr } = await bot.outcome;
      assert.equal(code, 0);
      assert.match(stderr, /^tweetbot-bridge: actions are off: .*\n$/);
    }
  });

  test('thousands of actions do not keep the bot from its work', async (context) => {
    const bot = await startBot(context, { AGENTS: HOSTILE, WORK_MILLISECONDS: '5000', ...ACTIONS });
    const { process } = await stateWhen(bot.port, ({ agents }) => agents?.length > 0);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 12 });
    context.after(() => agent.destroy());
    const statuses = {};
    let ids = 0;
    const bodies = [
      () => ({ action: 'adjust_autonomy', agent: 'good', direction: ids % 2 ? 'lower' : 'raise' }),
      () => ({ action: 'execute_adaptation', agent: 'hanging', adaptations: ['GOAL_ADAPTATION'] }),
      () => ({ action: 'execute_adaptation', agent: 'hostile', adaptations: ['GOAL_ADAPTATION'] }),
      () => ({ action: 'adjust_autonomy', agent: 'x'.repeat(16000) }),
      () => ({ more: 'x'.repeat(20000) }),
    ];
    const flood = async (_, client) => {
      while (bot.child.exitCode === null) {
        ids += 1;
        const common = { version: 1, id: `flood-${ids}`, botStart: process.startTime };
        await post(bot.port, { ...common, ...bodies[client % bodies.length]() }, { agent }).then(
          ({ status }) => (statuses[status] = (statuses[status] ?? 0) + 1),
          () => {},
        );
      }
    };
    const clients = Array.from({ length: 12 }, flood);
    const { orchestrator } = await stateWhen(
      bot.port,
      (document) => document.orchestrator.cycles.total > 100,
      'a hundred cycles of 20 ms',
    );
    assert.equal(orchestrator.running, true);
    const { code, stderr } = await bot.outcome;
    await Promise.all(clients);
    assert.deepEqual([code, said(stderr)], [0, ALLOWED]);
    assert.ok(
      statuses[200] <= 60 && statuses[400] > 10 && statuses[413] > 10 && statuses[429] > 10,
      JSON.stringify(statuses),
    );
  });

  test('a first cycle that fails ends the bot as it does alone', async (context) => {
    for (const caught of ['', '.catch(() => console.log("caught"))']) {
      const source = `class Bot {\n  async executeStrategicOrchestrationCycle() { throw new Error('first'); }\n}
        new Bot().executeStrategicOrchestrationCycle()${caught};\nexport default Bot;`;
      const file = `${folder(context, { 'bot.mjs': source })}/bot.mjs`;
      const env = environment(await freePort());
      const [bare, bridged] = await Promise.all([
        run([file], { env }),
        run(['--import', REGISTER, file], { env }),
      ]);
      assert.deepEqual(
        [bridged.code, bridged.stdout, said(bridged.stderr)],
        [bare.code, bare.stdout, said(bare.stderr)],
      );
      assert.equal(bare.code, caught ? 0 : 1);
    }
  });

  test('a module that waits for ever ends as it does alone', async (context) => {
    const source = `class Bot { async executeStrategicOrchestrationCycle() {} }
      await new Bot().executeStrategicOrchestrationCycle();\nawait new Promise(() => {});\nexport default Bot;`;
    const file = `${folder(context, { 'bot.mjs': source })}/bot.mjs`;
    const env = environment(await freePort());
    const [bare, bridged] = await Promise.all([
      run([file], { env }),
      run(['--import', REGISTER, file], { env }),
    ]);
    assert.deepEqual([bridged.code, bridged.stderr], [bare.code, bare.stderr]);
  });

  test('hostile agents cost themselves', async (context) => {
    const bot = await startBot(context, { AGENTS: HOSTILE, WORK_MILLISECONDS: '4000' });
    const has = (document, name) => document.selfReports?.some(({ agent }) => agent === name);
    const document = await stateWhen(bot.port, (each) => has(each, 'cyclic') && has(each, 'huge'), 'reports');
    assertFits(document);
    assert.deepEqual(
      document.agents.map(({ id }) => id),
      HOSTILE.split(','),
    );
    assert.deepEqual(
      document.selfReports.map(({ agent }) => agent),
      ['good', 'cyclic', 'huge'],
    );
    assert.deepEqual(document.selfReports[1].report, {
      count: 1,
      self: document.selfReports[1].report.self,
      again: document.selfReports[1].report.again,
    });
    assert.deepEqual(
      document.agents.map(({ goalProgress }) => goalProgress !== undefined),
      [true, false, false, false, false, false],
    );
    assert.ok(document.leftOut.reportValues > 1000);
  });

  test('a port that is taken costs one line', async (context) => {
    const squatter = net.createServer().listen(0, '127.0.0.1');
    context.after(() => squatter.close());
    await new Promise((resolve) => squatter.once('listening', resolve));
    const { port } = squatter.address();
    const { code, stderr } = await run(['--import', REGISTER, BOT], { env: environment(port) });
    assert.equal(code, 0);
    assert.equal(
      stderr,
      `tweetbot-bridge: 127.0.0.1:${port} cannot be served (EADDRINUSE); tried again every 30 s\n`,
    );
  });

  test('a stderr that nobody reads any more', async (context) => {
    const squatter = net.createServer().listen(0, '127.0.0.1');
    context.after(() => squatter.close());
    await new Promise((resolve) => squatter.once('listening', resolve));
    const bot = start(['--import', REGISTER, BOT], { env: environment(squatter.address().port) });
    bot.child.stderr.destroy();
    assert.equal((await bot.outcome).code, 0);
  });

  test('thousands of requests do not keep the bot from its work', async (context) => {
    const bot = await startBot(context, { WORK_MILLISECONDS: '4000' });
    await stateWhen(bot.port);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 12 });
    context.after(() => agent.destroy());
    let answered = 0;
    const ask = async () => {
      while (bot.child.exitCode === null)
        await request(bot.port, { agent }).then(
          () => (answered += 1),
          () => {},
        );
    };
    const clients = Array.from({ length: 12 }, ask);
    await stateWhen(
      bot.port,
      ({ orchestrator }) => orchestrator.cycles.total > 100,
      'a hundred cycles of 20 ms',
    );
    const { code, stderr } = await bot.outcome;
    await Promise.all(clients);
    assert.deepEqual([code, stderr], [0, '']);
    assert.ok(answered > 300, `${answered} answered`);
  });
});
