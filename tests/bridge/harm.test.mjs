// Whatever happens to the bridge, the bot does not notice.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { REGISTER, assertFits, folder, freePort, request, run, start, stateWhen, until } from './support.mjs';

const BOT = fileURLToPath(new URL('./fixtures/orchestrator.mjs', import.meta.url));
const HOSTILE = 'good,throwing,hanging,cyclic,huge,hostile';

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
      const env = { ENDING, AGENTS: HOSTILE, WORK_MILLISECONDS: '1000' };
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
      assert.ok(late < 1000, `${late} ms later`); // what would hold the process does so for seconds
    });
  }

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
