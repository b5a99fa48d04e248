// Whatever happens to the bridge, the bot behaves as it does alone.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import {
  REGISTER,
  assertValid,
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

const MOST_TICKS = 8; // of 250 ms; a timer or connection of the bridge would keep the process for 5 s or more
const MOST_ANSWERS_PER_CYCLE = 20;

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

async function startWorking(context, args, env) {
  const bot = start(args, { env });
  context.after(() => bot.child.kill('SIGKILL'));
  await until(() => bot.output.stdout.includes('working'), 'the bot');
  return bot;
}

async function startBot(context, env) {
  const port = await freePort();
  const bot = await startWorking(context, ['--import', REGISTER, BOT], environment(port, env));
  return { ...bot, port };
}

/** Ends the bot's work and returns its outcome; a process that does not end is killed after a minute. */
function end({ child, outcome }) {
  const watchdog = setTimeout(() => child.kill('SIGKILL'), 60_000);
  child.kill('SIGUSR2');
  return outcome.finally(() => clearTimeout(watchdog));
}

const startBare = (context, env) => startWorking(context, [BOT], env);

/** How long the process went on after the end of its work, in ticks of its own; 0 for one that was killed. */
const ticks = ({ stdout }) => Number(/after (\d+) ticks/.exec(stdout)?.[1] ?? 0);

/** The bot's output without what differs from run to run: on a busy machine, any agent can seem to block the loop. */
const stable = (text) =>
  text.replace(/after \d+ ticks|\n\s+at .*|^tweetbot-bridge: .* called less often\n/gm, '');

function assertSameEnd(bridged, bare) {
  assert.deepEqual([bridged.code, bridged.signal], [bare.code, bare.signal]);
  assert.equal(stable(bridged.stdout), stable(bare.stdout));
  assert.equal(stable(bridged.stderr).replace(ALLOWED, ''), stable(bare.stderr));
  assert.ok(ticks(bridged) - ticks(bare) < MOST_TICKS, `${ticks(bridged)} ticks, ${ticks(bare)} alone`);
}

const hasReportOf = (document, name) => document.selfReports?.some(({ agent }) => agent === name);

/** All agents were polled, so that also the calls that hang have begun. */
const allPolled = (document) => hasReportOf(document, 'cyclic') && hasReportOf(document, 'huge');

describe('isolation', { concurrency: 2 }, () => {
  for (const ENDING of ['none', 'exit', 'code', 'throw', 'reject', 'message', 'cycle', 'kill']) {
    test(`the same end, at the same time: ${ENDING}`, async (context) => {
      const env = { ENDING, AGENTS: HOSTILE };
      const bare = await end(await startBare(context, env));
      const bot = await startBot(context, env);
      await stateWhen(bot.port, allPolled, 'reports');
      const agent = new http.Agent({ keepAlive: true });
      context.after(() => agent.destroy());
      net.connect(bot.port, '127.0.0.1').on('error', () => {});
      let answered = 0;
      const count = () => (answered += 1);
      const requests = setInterval(() => request(bot.port, { agent }).then(count, () => {}), 20);
      context.after(() => clearInterval(requests));
      await until(() => answered > 5, 'answers');
      assertSameEnd(await end(bot), bare);
    });
  }

  for (const ENDING of ['none', 'code', 'throw', 'kill']) {
    test(`the same end, at the same time, while an action hangs: ${ENDING}`, async (context) => {
      const env = { ENDING, AGENTS: HOSTILE };
      const bare = await end(await startBare(context, env));
      const bot = await startBot(context, { ...env, ...ACTIONS });
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
      adapt('3', 'hanging').catch(() => {});
      await until(async () => (await adapt('4', 'good')).status === 429, 'the action that hangs');
      assertSameEnd(await end(bot), bare);
    });
  }

  test('an action that blocks the event loop is done once, and the bot goes on', async (context) => {
    const bot = await startBot(context, { AGENTS: 'blocking', ...ACTIONS });
    const { process } = await stateWhen(bot.port, ({ agents }) => agents?.length > 0);
    const common = { version: 1, id: 'a', botStart: process.startTime, action: 'execute_adaptation' };
    const adapt = { ...common, agent: 'blocking', adaptations: ['STRATEGY_ADJUSTMENT'] };
    await post(bot.port, adapt).catch(() => undefined);
    assert.equal(JSON.parse((await post(bot.port, adapt)).body).status, 'done');
    const { code, stdout } = await end(bot);
    assert.equal(code, 0);
    assert.equal(stdout.match(/blocking/g).length, 1);
  });

  test('actions with wrong options are off, the state is served', async (context) => {
    for (const wrong of [
      { TWEETBOT_BRIDGE_ALLOW_ACTIONS: 'pause,sell' },
      { TWEETBOT_BRIDGE_ACTIONS_TOKEN: '' },
    ]) {
      const bot = await startBot(context, { ...ACTIONS, ...wrong });
      await stateWhen(bot.port);
      assert.equal((await post(bot.port, {})).status, 404);
      const { code, stderr } = await end(bot);
      assert.equal(code, 0);
      assert.match(stable(stderr), /^tweetbot-bridge: actions are off: .*\n$/);
    }
  });

  test('thousands of actions do not keep the bot from its work', async (context) => {
    const bot = await startBot(context, { AGENTS: HOSTILE, ...ACTIONS });
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
    const begin = performance.now();
    const clients = Array.from({ length: 12 }, flood);
    const { orchestrator } = await stateWhen(
      bot.port,
      (document) => document.orchestrator.cycles.total > 100,
      'a hundred cycles of 20 ms',
    );
    await until(() => [400, 413, 429].every((status) => statuses[status] > 10), 'refusals of each kind');
    const minutes = Math.ceil((performance.now() - begin) / 60_000);
    assert.equal(orchestrator.running, true);
    const { code, stderr } = await end(bot);
    await Promise.all(clients);
    assert.deepEqual([code, stable(stderr)], [0, ALLOWED]);
    assert.ok(statuses[200] <= 60 * minutes, JSON.stringify(statuses));
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
        [bridged.code, bridged.stdout, stable(bridged.stderr)],
        [bare.code, bare.stdout, stable(bare.stderr)],
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
    const slowly = { TWEETBOT_BRIDGE_INTERVAL_SECONDS: '5', TWEETBOT_BRIDGE_TIME_LIMIT_SECONDS: '0.1' };
    const bot = await startBot(context, { AGENTS: HOSTILE, ...slowly });
    const complete = (each) => allPolled(each) && each.leftOut.agents === 0;
    const document = await stateWhen(bot.port, complete, 'reports');
    assertValid(document);
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
    const env = environment(port, { WORK_MILLISECONDS: '500' });
    const { code, stderr } = await run(['--import', REGISTER, BOT], { env });
    assert.equal(code, 0);
    assert.equal(
      stable(stderr),
      `tweetbot-bridge: cannot listen on 127.0.0.1:${port} (EADDRINUSE); retrying every 30 s\n`,
    );
  });

  test('a stderr that nobody reads any more', async (context) => {
    const squatter = net.createServer().listen(0, '127.0.0.1');
    context.after(() => squatter.close());
    await new Promise((resolve) => squatter.once('listening', resolve));
    const env = environment(squatter.address().port, { WORK_MILLISECONDS: '500' });
    const bot = start(['--import', REGISTER, BOT], { env });
    bot.child.stderr.destroy();
    assert.equal((await bot.outcome).code, 0);
  });

  test('thousands of requests do not keep the bot from its work', async (context) => {
    const bot = await startBot(context);
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
    const { orchestrator } = await stateWhen(
      bot.port,
      (document) => answered > 300 && document.orchestrator.cycles.total > 100,
      'a hundred cycles of 20 ms, and answers',
    );
    const answersPerCycle = answered / orchestrator.cycles.total;
    const { code, stderr } = await end(bot);
    await Promise.all(clients);
    assert.deepEqual([code, stable(stderr)], [0, '']);
    assert.ok(answersPerCycle < MOST_ANSWERS_PER_CYCLE, `${answersPerCycle} answers a cycle`);
  });
});
