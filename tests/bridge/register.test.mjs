import assert from 'node:assert/strict';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, test } from 'node:test';

import { SHAPES } from './fixtures/shapes.mjs';
import {
  BRIDGE,
  REGISTER,
  assertValid,
  folder,
  freePort,
  request,
  run,
  sleep,
  start,
  stateWhen,
} from './support.mjs';

const BOT = SHAPES['a declaration exported by default']['bot.mjs'];

/** Starts the last of the files with the bridge registered, as a child that ends with the test. */
async function startBot(context, files, { args = ['--import', REGISTER], env = {} } = {}) {
  const port = await freePort();
  const cwd = folder(context, files);
  const entry = path.join(cwd, Object.keys(files).at(-1));
  const bot = start([...args, entry], { cwd, env: { TWEETBOT_BRIDGE_PORT: String(port), ...env } });
  context.after(() => bot.child.kill('SIGKILL'));
  return { ...bot, port };
}

async function stop({ child, outcome }) {
  child.kill('SIGTERM');
  return outcome;
}

const hasRun = ({ agents, orchestrator }) => agents?.[0]?.cycles >= 2 && orchestrator.cycles.total >= 1;

describe('register', { concurrency: 4 }, () => {
  for (const [name, files] of Object.entries(SHAPES)) {
    test(name, async (context) => {
      const bot = await startBot(context, files);
      const document = await stateWhen(bot.port, hasRun).catch((error) => {
        throw new Error(`${error.message}\n${bot.output.stderr}`);
      });
      const { cycles } = document.orchestrator;
      assert.equal(cycles.total, document.agents[0].cycles, 'every cycle is seen, once');
      assert.deepEqual(
        document.communication.pairs.map(({ sent }) => sent),
        [cycles.total],
      );
      const { stdout, stderr } = await stop(bot);
      assert.equal(stderr, '');
      if (stdout) assert.equal(stdout, 'main true true\n');
    });
  }

  test('a cycle has one frame of the bridge in its stack trace, the first one two', async (context) => {
    const bot = await startBot(context, {
      'bot.mjs': `
        const isOurs = (line) => /\\/(wrap|discovery)\\.mjs/.test(line);
        class Bot {
          agents = new Map();
          async executeStrategicOrchestrationCycle() {
            console.log(new Error().stack.split('\\n').filter(isOurs).length);
          }
        }
        const bot = new Bot();
        for (let cycle = 0; cycle < 3; cycle += 1) await bot.executeStrategicOrchestrationCycle();
        export default Bot;`,
    });
    assert.equal((await bot.outcome).stdout, '2\n1\n1\n');
  });

  test('the document fits the schema', async (context) => {
    const bot = await startBot(
      context,
      { 'bot.mjs': BOT },
      { env: { TWEETBOT_BRIDGE_INTERVAL_SECONDS: '0.1' } },
    );
    assertValid(await stateWhen(bot.port, hasRun));
  });

  test('by NODE_OPTIONS', async (context) => {
    const bot = await startBot(
      context,
      { 'bot.mjs': BOT },
      { args: [], env: { NODE_OPTIONS: `--import ${REGISTER}` } },
    );
    await stateWhen(bot.port, hasRun);
  });

  test("another process of the bot's, a worker and a module without an orchestrator open no port", async (context) => {
    const bot = await startBot(context, {
      'bot.mjs': BOT,
      'other.mjs': `process.on('disconnect', () => process.exit());`,
      'main.mjs': `import { fork } from 'node:child_process'; import { Worker } from 'node:worker_threads';
        fork(new URL('./other.mjs', import.meta.url));
        new Worker(new URL('./bot.mjs', import.meta.url));
        setTimeout(() => { console.log('end'); process.exit(0) }, 600);`,
    });
    while (bot.child.exitCode === null) {
      await assert.rejects(request(bot.port));
      await sleep(50);
    }
    const { code, stdout, stderr } = await bot.outcome;
    assert.deepEqual([code, stdout, stderr], [0, 'end\n', '']);
  });

  test('wrong options cost the bridge, not the bot', async (context) => {
    for (const env of [
      { TWEETBOT_BRIDGE_PORT: 'x' },
      { TWEETBOT_BRIDGE_TOKEN_FILE: '/none' },
      { TWEETBOT_BRIDGE_HOST: '0.0.0.0' },
    ]) {
      const ending = BOT.replace('bot.start();', 'bot.start(); setTimeout(() => process.exit(5), 200);');
      const bot = await startBot(context, { 'bot.mjs': ending }, { env });
      const { code, stderr } = await bot.outcome;
      assert.equal(code, 5);
      assert.match(stderr, /^tweetbot-bridge: not attached: .*\n$/);
      await assert.rejects(request(bot.port));
    }
  });

  test('an older Node.js costs the bridge, not the bot, and is named', async (context) => {
    const older = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.8' } })";
    const ending = BOT.replace('bot.start();', 'bot.start(); setTimeout(() => process.exit(5), 200);');
    const attach = `import { attach } from '${pathToFileURL(BRIDGE)}attach.mjs';\n`;
    for (const [args, files] of [
      [['--import', REGISTER], { 'bot.mjs': ending }],
      [[], { 'bot.mjs': attach + ending.replace('bot.start();', 'attach(bot); bot.start();') }],
    ]) {
      const bot = await startBot(context, files, { args: ['--import', `data:text/javascript,${older}`, ...args] });
      const { code, stderr } = await bot.outcome;
      assert.equal(code, 5);
      assert.match(stderr, /^tweetbot-bridge: not \w+: Node\.js 20\.6 or later is needed, and this is 18\.20\.8\n$/);
      await assert.rejects(request(bot.port));
    }
  });

  test('attached by hand as well, everything is counted once', async (context) => {
    const byHand = BOT.replace('bot.start();', 'attach(bot); attach(bot).address(); bot.start();');
    const attach = `import { attach } from '${pathToFileURL(BRIDGE)}attach.mjs';\n`;
    for (const args of [['--import', REGISTER], []]) {
      const bot = await startBot(context, { 'bot.mjs': attach + byHand }, { args });
      const { orchestrator, agents } = await stateWhen(bot.port, hasRun);
      assert.equal(orchestrator.cycles.total, agents[0].cycles);
      assert.equal((await stop(bot)).stderr, '');
    }
  });

  test('attached by hand from CommonJS', async (context) => {
    const source = SHAPES['CommonJS']['bot.js'].replace(
      'bot.start();',
      `import('${pathToFileURL(BRIDGE)}attach.mjs').then(({ attach }) => attach(bot)).catch(console.error);\nbot.start();`,
    );
    const bot = await startBot(context, { 'bot.cjs': source }, { args: [] });
    await stateWhen(bot.port, hasRun);
  });

  test('a second orchestrator of the class takes over', async (context) => {
    const source = `${BOT}\nsetTimeout(() => {
      bot.isRunning = false; clearInterval(bot.agenticCycleInterval);
      const next = new Bot(); next.agents.set('next', {}); next.start();
    }, 300);`;
    const bot = await startBot(context, { 'bot.mjs': source });
    await stateWhen(bot.port, ({ agents }) => agents?.some(({ id }) => id === 'next'), 'the next one');
  });

  test('an error keeps its place, with and without source maps', async (context) => {
    const map = Buffer.from(
      JSON.stringify({
        version: 3,
        sources: ['original.ts'],
        names: [],
        mappings: 'AAAA;AACA;AACA;AACA;AACA',
        sourcesContent: ['a\nb\nc\nd\ne\n'],
      }),
    ).toString('base64');
    const source = `class Bot { async executeStrategicOrchestrationCycle() {} }\nfunction fail() {\n  throw new Error('here'); }
setTimeout(fail, 10);\nexport default Bot;\n//# sourceMappingURL=data:application/json;base64,${map}`;
    const file = path.join(folder(context, { 'bot.mjs': source }), 'bot.mjs');
    for (const flags of [[], ['--enable-source-maps']]) {
      const [bare, registered] = await Promise.all([
        run([...flags, file]),
        run([...flags, '--import', REGISTER, file]),
      ]);
      assert.deepEqual(registered, bare);
      assert.match(bare.stderr, flags.length ? /original\.ts:3/ : /bot\.mjs:3:9/);
    }
  });
});
