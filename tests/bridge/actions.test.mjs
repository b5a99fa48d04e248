import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { describe, test } from 'node:test';

import { ActionExecutor } from '../../exporter/bridge/action-executor.mjs';
import { Bridge } from '../../exporter/bridge/bridge.mjs';
import { ACTION_WAIT_MILLISECONDS, REQUEST_MILLISECONDS } from '../../exporter/bridge/limits.mjs';
import { readOptions } from '../../exporter/bridge/options.mjs';
import { FakeAgent, FakeDatabase, FakeOrchestrator } from './fixtures/fakes.mjs';
import { ACTIONS_SCHEMA, schemaErrors, post, request, sleep, state, until } from './support.mjs';

const KEY = 'actions-key';
const ALL = ['execute_adaptation', 'adjust_autonomy', 'pause', 'resume'];
const BOT_START = performance.timeOrigin / 1000;

let ids = 0;
const order = (action, more) => ({
  version: 1,
  id: `test-${(ids += 1)}`,
  botStart: BOT_START,
  action,
  ...more,
});
const adapt = (agent, more) =>
  order('execute_adaptation', { agent, adaptations: ['STRATEGY_ADJUSTMENT'], ...more });
const adjust = (agent, direction, more) => order('adjust_autonomy', { agent, direction, ...more });
const restore = ({ id }, more) => order('restore', { restores: id, ...more });

const seen = { answers: [], problems: [], requests: [] };

/** A bridge that accepts actions, attached to the orchestrator if there is one. */
async function bridged(context, orchestrator, options = {}, timeouts = {}) {
  const given = { port: 0, intervalSeconds: 0, allowActions: ALL, actionsToken: KEY, ...options };
  const bridge = new Bridge(readOptions(given, {}), timeouts);
  bridge.start();
  context.after(() => bridge.stop());
  if (orchestrator) bridge.attach(orchestrator);
  await until(() => bridge.address(), 'the server');
  return { bridge, port: bridge.address().port };
}

/** Asks for an action; the document of the answer. */
async function act(port, body) {
  const { status, body: text } = await post(port, body);
  assert.ok(status === 200 || status === 202, `${status} ${text}`);
  const document = JSON.parse(text);
  assert.equal(document.status === 'running', status === 202);
  seen.requests.push(body);
  seen.answers.push(document);
  return document;
}

async function problem(port, body, more) {
  const { status, body: text, headers } = await post(port, body, more);
  const document = text === '' ? undefined : JSON.parse(text);
  if (document) seen.problems.push(document);
  return { status, error: document?.error, retryAfter: headers['retry-after'] };
}

const change = (agent, path, from, to) => ({ agent, path, from, to });

describe('who may', { concurrency: true }, () => {
  test('off by default, and with one option alone', async (context) => {
    for (const options of [
      { allowActions: undefined, actionsToken: undefined },
      { allowActions: undefined },
      { actionsToken: undefined },
      { allowActions: 'everything' },
    ]) {
      const orchestrator = new FakeOrchestrator('a');
      const { port } = await bridged(context, orchestrator, options);
      assert.equal((await post(port, adjust('a', 'lower'))).status, 404);
      assert.equal((await state(port)).agents[0].autonomy, 0.9);
      const { port: closed } = await bridged(context, orchestrator, { ...options, token: 'state' });
      assert.equal((await post(closed, adjust('a', 'lower'))).status, 401);
      assert.equal(orchestrator.autonomyLevels.get('a'), 0.9);
    }
  });

  test('each token is for its own path', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator, { token: 'state-key' });
    const as = (authorization, body = adjust('a', 'lower')) =>
      post(port, body, { headers: { authorization } });
    for (const wrong of ['', 'Bearer', 'Bearer state-key', `Bearer ${KEY}x`, `Basic ${KEY}`, KEY]) {
      const { status, body, headers } = await as(wrong);
      assert.deepEqual([status, body, headers['www-authenticate']], [401, '', 'Bearer']);
    }
    const without = { path: '/actions', method: 'POST', body: JSON.stringify(adjust('a', 'lower')) };
    assert.equal((await request(port, without)).status, 401);
    assert.equal(orchestrator.autonomyLevels.get('a'), 0.9);
    assert.equal((await as(`Bearer ${KEY}`)).status, 200);
    const asked = async (token) =>
      (await request(port, { headers: { authorization: `Bearer ${token}` } })).status;
    assert.deepEqual([await asked(KEY), await asked('state-key')], [401, 200]);
    const { port: open } = await bridged(context, orchestrator);
    assert.equal((await request(open)).status, 200);
  });

  test('only under a local name, and no page of another origin', async (context) => {
    const { port } = await bridged(context, new FakeOrchestrator('a'), { token: 'state-key' });
    assert.equal((await post(port, adjust('a', 'lower'), { headers: { host: 'example.org' } })).status, 421);
    assert.equal((await post(port, adjust('a', 'lower'), { headers: { host: 'localhost:1' } })).status, 200);
    const headers = { origin: 'http://example.org', 'access-control-request-method': 'POST' };
    const preflight = await request(port, { path: '/actions', method: 'OPTIONS', headers });
    assert.equal(preflight.status, 401);
    assert.deepEqual(
      Object.keys(preflight.headers).filter((name) => name.startsWith('access-control')),
      [],
    );
  });

  test('what is not allowed by name is refused', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator, { allowActions: 'pause' });
    for (const body of [adjust('a', 'lower'), adapt('a')]) {
      const { status, error, changes } = await act(port, body);
      assert.deepEqual([status, error, changes], ['refused', `${body.action} is not allowed`, []]);
    }
    assert.equal(orchestrator.db.commands.length, 0);
  });

  test('who may pause may resume, and not the other way round', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator, { allowActions: 'pause' });
    const pause = order('pause');
    for (const body of [pause, restore(pause), order('resume')]) {
      assert.equal((await act(port, body)).status, 'done');
    }
    const { port: other } = await bridged(context, orchestrator, { allowActions: 'resume' });
    assert.equal((await act(other, order('pause'))).error, 'pause is not allowed');
    assert.equal((await act(other, order('resume'))).status, 'done');
    assert.deepEqual(
      orchestrator.db.commands.map(([command]) => command),
      ['pause_system', 'resume_system', 'resume_system', 'resume_system'],
    );
    const { port: neither } = await bridged(context, orchestrator, { allowActions: 'adjust_autonomy' });
    assert.equal((await act(neither, order('resume'))).error, 'resume is not allowed');
  });
});

describe('requests', { concurrency: true }, () => {
  test('only POST, only JSON, only so much', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator);
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      const { status, headers } = await post(port, '', { method });
      assert.deepEqual([status, headers.allow], [405, 'POST']);
    }
    for (const type of [
      '',
      'text/plain',
      'application/jsonp',
      'application/json; charset=utf-16',
      'application/xml',
    ]) {
      assert.equal(
        (await post(port, adjust('a', 'lower'), { headers: { 'content-type': type } })).status,
        415,
        type,
      );
    }
    const zipped = { headers: { 'content-encoding': 'gzip' } };
    assert.equal((await post(port, adjust('a', 'lower'), zipped)).status, 415);
    const padded = (length) => JSON.stringify(adjust('a', 'lower')).padEnd(length);
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
      assert.equal((await post(port, padded(16 * 1024 + 1), { headers })).status, 413);
    }
    assert.equal(orchestrator.autonomyLevels.get('a'), 0.9);
    assert.equal((await post(port, padded(16 * 1024))).status, 200);
    const utf8 = { headers: { 'content-type': 'Application/JSON; charset=UTF-8' } };
    assert.equal((await post(port, adjust('a', 'lower'), utf8)).status, 200);
    assert.equal((await post(port, adjust('a', 'lower'), { path: '/actions?x=1' })).status, 200);
    for (const path of ['/actions/', '/ACTIONS', '/action']) {
      assert.equal((await post(port, adjust('a', 'lower'), { path })).status, 404);
    }
  });

  test('a malformed request is reported, and does nothing', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator);
    const bodies = [
      '',
      '{',
      'null',
      '{}',
      { ...adjust('a', 'lower'), more: 1 },
      adjust('a', 'up'),
      adjust(5, 'lower'),
    ];
    for (const body of bodies) {
      const { status, error } = await problem(port, body);
      assert.equal(status, 400);
      assert.ok(error);
    }
    assert.equal(orchestrator.autonomyLevels.get('a'), 0.9);
  });

  test('another process is not meant', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator);
    const { process } = await state(port);
    for (const botStart of [process.startTime - 0.001, process.startTime + 1, 0]) {
      assert.equal((await problem(port, adjust('a', 'lower', { botStart }))).status, 409);
    }
    assert.equal(orchestrator.autonomyLevels.get('a'), 0.9);
    assert.equal((await act(port, adjust('a', 'lower', { botStart: process.startTime }))).status, 'done');
  });

  test('a sender that is slow, endless, or gone is cut off', async (context) => {
    const { port } = await bridged(context, new FakeOrchestrator('a'), {}, { request: 1000 });
    const head = (more) =>
      `POST /actions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${KEY}\r\n` +
      `Content-Type: application/json\r\n${more}\r\n\r\n`;
    const connect = (text) => {
      const socket = net.connect(port, '127.0.0.1', () => socket.write(text)).resume();
      socket.on('error', () => {});
      socket.gone = new Promise((resolve) => socket.on('close', resolve));
      return socket;
    };
    const slow = connect(head('Content-Length: 1000'));
    const endless = connect(head('Transfer-Encoding: chunked'));
    const gone = connect(`${head('Content-Length: 1000')}{`);
    const timers = [
      setInterval(() => slow.write(' '), 100),
      setInterval(() => endless.writable && endless.write(`1000\r\n${' '.repeat(0x1000)}\r\n`), 10),
      setTimeout(() => gone.destroy(), 100),
    ];
    context.after(() => timers.forEach(clearInterval));
    for (const socket of [slow, endless, gone]) await socket.gone;
    assert.ok(endless.bytesWritten < 1024 * 1024);
    assert.equal((await act(port, adjust('a', 'lower'))).status, 'done');
  });
});

describe('autonomy', { concurrency: true }, () => {
  test("both levels, from the orchestrator's", async (context) => {
    const orchestrator = new FakeOrchestrator('a', 'b');
    const { port } = await bridged(context, orchestrator);
    const lowered = await act(port, adjust('a', 'lower'));
    assert.equal(lowered.status, 'done');
    assert.deepEqual(lowered.changes, [
      change('a', 'autonomyLevel', 0.8, 0.9 * 0.95),
      change('a', 'autonomyLevels', 0.9, 0.9 * 0.95),
    ]);
    assert.equal(orchestrator.agents.get('a').autonomyLevel, 0.9 * 0.95);
    assert.equal(orchestrator.autonomyLevels.get('a'), 0.9 * 0.95);
    assert.deepEqual(
      [orchestrator.agents.get('b').autonomyLevel, orchestrator.autonomyLevels.get('b')],
      [0.8, 0.9],
    );
    const raised = await act(port, adjust('b', 'raise'));
    assert.deepEqual(
      raised.changes.map(({ to }) => to),
      [0.9 * 1.05, 0.9 * 1.05],
    );
  });

  test('bounds', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator);
    const table = [
      [0.31, 'lower', 0.3],
      [0.3, 'lower', undefined],
      [0.2, 'lower', undefined],
      [0, 'lower', undefined],
      [0.94, 'raise', 0.95],
      [0.95, 'raise', undefined],
      [1, 'raise', undefined],
      [1, 'lower', 0.95],
      [0.2, 'raise', 0.3],
    ];
    for (const [level, direction, to] of table) {
      orchestrator.autonomyLevels.set('a', level);
      const { autonomyLevel } = orchestrator.agents.get('a');
      const { status, changes } = await act(port, adjust('a', direction));
      assert.equal(status, 'done', `${level} ${direction}`);
      if (to === undefined) {
        assert.deepEqual(changes, []);
        assert.equal(orchestrator.agents.get('a').autonomyLevel, autonomyLevel);
      }
      assert.equal(orchestrator.autonomyLevels.get('a'), to ?? level);
    }
  });

  test('an agent without a method, without an entry, with neither', async (context) => {
    const orchestrator = new FakeOrchestrator();
    orchestrator.agents.set('plain', { autonomyLevel: 0.5 });
    orchestrator.agents.set(7, new FakeAgent(7));
    orchestrator.agents.set('frozen', Object.freeze({ autonomyLevel: 0.5 }));
    orchestrator.agents.set('none', {});
    orchestrator.agents.set('percent', { autonomyLevel: 85 });
    orchestrator.agents.set('text', { autonomyLevel: '0.8' });
    orchestrator.agents.set('entry', {});
    orchestrator.autonomyLevels.set('entry', 0.5).set(7, 0.6);
    const { port } = await bridged(context, orchestrator);
    const changes = async (id) => (await act(port, adjust(id, 'lower'))).changes;
    assert.deepEqual(await changes('plain'), [change('plain', 'autonomyLevel', 0.5, 0.475)]);
    assert.deepEqual(await changes('7'), [
      change('7', 'autonomyLevel', 0.8, 0.57),
      change('7', 'autonomyLevels', 0.6, 0.57),
    ]);
    assert.equal(orchestrator.autonomyLevels.has('plain'), false);
    for (const [id, why] of [
      ['frozen', /no way/],
      ['none', /no way/],
      ['entry', /no way/],
      ['percent', /not a ratio/],
      ['text', /not a ratio/],
    ]) {
      const answer = await act(port, adjust(id, 'lower'));
      assert.deepEqual([answer.status, answer.changes], ['refused', []]);
      assert.match(answer.error, why);
    }
  });

  test('what the bot made of it is reported, not what was requested', async (context) => {
    const orchestrator = new FakeOrchestrator();
    orchestrator.add(new FakeAgent('deaf', { async updateAutonomyLevel() {} }));
    orchestrator.add(
      new FakeAgent('own', {
        async updateAutonomyLevel() {
          this.autonomyLevel = 0.1;
          this.goals = { risk: 'low' };
        },
      }),
    );
    const { port } = await bridged(context, orchestrator);
    assert.deepEqual((await act(port, adjust('deaf', 'lower'))).changes, [
      change('deaf', 'autonomyLevels', 0.9, 0.9 * 0.95),
    ]);
    assert.deepEqual((await act(port, adjust('own', 'lower'))).changes, [
      change('own', 'autonomyLevel', 0.8, 0.1),
      change('own', 'autonomyLevels', 0.9, 0.9 * 0.95),
      change('own', 'goals', null, null),
      change('own', 'goals.risk', null, 'low'),
    ]);
  });
});

describe('adaptation', { concurrency: true }, () => {
  test('a bot that only logs it changes nothing', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator);
    const adaptations = ['GOAL_ADAPTATION', 'STRATEGY_ADJUSTMENT'];
    const { status, changes, error } = await act(port, adapt('a', { adaptations }));
    assert.deepEqual([status, changes, error], ['done', [], undefined]);
    assert.deepEqual(orchestrator.agents.get('a').adaptations, adaptations);
  });

  test('what it changes in the goals is reported and restored', async (context) => {
    const orchestrator = new FakeOrchestrator();
    const goals = {
      risk: { tolerance: 0.5 },
      targets: ['alpha'],
      weights: new Map([['news', 1]]),
      old: true,
    };
    const agent = new FakeAgent('a', {
      goals,
      async executeAdaptation() {
        const { old, ...kept } = this.goals;
        this.goals = { ...kept, risk: { tolerance: 0.4 }, reason: 'slow' };
        this.goals.targets.push('beta');
        this.goals.weights.set('news', 2);
        await sleep(20);
        this.autonomyLevel = 0.7;
      },
    });
    orchestrator.add(agent);
    const { port } = await bridged(context, orchestrator);
    const first = adapt('a');
    const { changes } = await act(port, first);
    assert.deepEqual(changes, [
      change('a', 'autonomyLevel', 0.8, 0.7),
      change('a', 'goals.risk.tolerance', 0.5, 0.4),
      change('a', 'goals.weights.news', 1, 2),
      change('a', 'goals.old', true, null),
      change('a', 'goals.targets.1', null, 'beta'),
      change('a', 'goals.reason', null, 'slow'),
    ]);
    const back = await act(port, restore(first));
    assert.equal(back.status, 'done');
    assert.deepEqual(
      new Set(back.changes.map(({ path, from, to }) => JSON.stringify([path, to, from]))),
      new Set(changes.map(({ path, from, to }) => JSON.stringify([path, from, to]))),
    );
    assert.equal(agent.autonomyLevel, 0.8);
    assert.deepEqual(agent.goals, {
      risk: { tolerance: 0.5 },
      targets: ['alpha'],
      weights: new Map([['news', 1]]),
      old: true,
    });
  });

  test('methods that are missing, fail, or return something odd', async (context) => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const thrown = (value) => () => {
      throw value;
    };
    const never = new Proxy(new Error('x'), {
      get: thrown(new Error('trap')),
      getPrototypeOf: thrown(new Error('trap')),
      getOwnPropertyDescriptor: thrown(new Error('trap')),
    });
    const cyclic = { huge: new Array(1e6).fill({}) };
    cyclic.self = cyclic;
    const table = [
      [undefined, 'refused', 'the bot has no method executeAdaptation()'],
      [5, 'refused', 'the bot has no method executeAdaptation()'],
      [thrown(new Error('first\n    at second')), 'failed', 'executeAdaptation(): first'],
      [thrown('text'), 'failed', 'executeAdaptation(): text'],
      [thrown(undefined), 'failed', 'executeAdaptation(): failed without a message'],
      [thrown(never), 'failed', 'executeAdaptation(): failed without a message'],
      [
        async () => Promise.reject(new Error('x'.repeat(1e6))),
        'failed',
        `executeAdaptation(): ${'x'.repeat(479)}`,
      ],
      [
        () => ({ then: (_, reject) => reject({ message: 'no error' }) }),
        'failed',
        'executeAdaptation(): no error',
      ],
      [() => revoked.proxy, 'failed', /revoked/],
      [() => cyclic, 'done'],
      [() => ({ then: (resolve) => resolve() }), 'done'],
      [() => ({ toJSON: thrown(new Error('toJSON')) }), 'done'],
    ];
    const orchestrator = new FakeOrchestrator();
    const { port } = await bridged(context, orchestrator);
    for (const [index, [executeAdaptation, status, error]] of table.entries()) {
      orchestrator.add(new FakeAgent(`a${index}`, { executeAdaptation }));
      const answer = await act(port, adapt(`a${index}`));
      assert.equal(answer.status, status, `${index}: ${answer.error}`);
      if (error instanceof RegExp) assert.match(answer.error, error);
      else assert.equal(answer.error, error);
    }
  });

  test('agents that are not there, or are none', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const trap = new Proxy(
      {},
      {
        get() {
          throw new Error('trap');
        },
      },
    );
    orchestrator.agents.set('null', null).set('number', 5).set('trap', trap);
    const { port } = await bridged(context, orchestrator);
    for (const id of ['b', 'A', 'null', 'number', '__proto__', 'constructor', '\ud800']) {
      const { status, error } = await act(port, adapt(id));
      assert.deepEqual([status, error], ['refused', `there is no agent ${JSON.stringify(id)}`]);
    }
    assert.equal((await act(port, adapt('trap'))).status, 'refused');
    assert.equal((await act(port, adjust('trap', 'lower'))).status, 'refused');
    for (const orchestrator of [undefined, {}, { agents: 5 }, { agents: new Proxy(new Map(), {}) }]) {
      const { port } = await bridged(context, orchestrator);
      for (const body of [adapt('a'), adjust('a', 'raise'), order('pause')]) {
        assert.equal((await act(port, body)).status, 'refused');
      }
    }
  });
});

describe('pause and resume', { concurrency: true }, () => {
  test("through the bot's own command", async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator);
    const pause = order('pause');
    const answer = await act(port, pause);
    assert.equal(answer.status, 'done');
    assert.deepEqual(answer.changes, [change('', 'system_commands', null, 'pause_system')]);
    const resume = order('resume');
    assert.deepEqual((await act(port, resume)).changes, [
      change('', 'system_commands', null, 'resume_system'),
    ]);
    const back = restore(pause);
    assert.deepEqual((await act(port, back)).changes, [change('', 'system_commands', null, 'resume_system')]);
    assert.deepEqual(
      orchestrator.db.commands.map(([command, parameters]) => [command, JSON.parse(parameters)]),
      [pause, resume, back].map(({ action, id }) => [
        action === 'pause' ? 'pause_system' : 'resume_system',
        { source: 'tweetbot-bridge', id },
      ]),
    );
    for (const [earlier, why] of [
      [pause, 'there is nothing to restore'],
      [resume, 'a resume cannot be restored'],
      [back, 'a restore cannot be restored'],
    ]) {
      const { status, error } = await act(port, restore(earlier));
      assert.deepEqual([status, error], ['refused', why]);
    }
    assert.equal(orchestrator.db.commands.length, 3);
  });

  test('a database service that is missing or fails', async (context) => {
    const throwing = {
      createSystemCommand() {
        throw new Error('Database not initialized');
      },
    };
    const rejecting = { createSystemCommand: async () => Promise.reject(new Error('SQLITE_FULL')) };
    for (const [db, status, error] of [
      [undefined, 'refused', /no method createSystemCommand/],
      [null, 'refused', /no method createSystemCommand/],
      ['db', 'refused', /no method createSystemCommand/],
      [{}, 'refused', /no method createSystemCommand/],
      [throwing, 'failed', /^createSystemCommand\(\): Database not initialized$/],
      [rejecting, 'failed', /SQLITE_FULL/],
    ]) {
      const { port } = await bridged(context, { db });
      const pause = order('pause');
      const answer = await act(port, pause);
      assert.deepEqual([answer.status, answer.changes], [status, []]);
      assert.match(answer.error, error);
      assert.match((await act(port, restore(pause))).error, /nothing to restore/);
    }
  });
});

describe('whether a change still stands', { concurrency: true }, () => {
  test('asked by the same request', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator);
    const lower = adjust('a', 'lower');
    const first = await act(port, lower);
    assert.deepEqual(await act(port, lower), first);
    orchestrator.autonomyLevels.set('a', 0.95);
    const again = await act(port, lower);
    assert.deepEqual(again, { ...first, overridden: ['autonomyLevels'] });
    assert.deepEqual(schemaErrors([again], ACTIONS_SCHEMA, 'answer'), [null]);
    orchestrator.agents.get('a').autonomyLevel = 0.95;
    assert.deepEqual((await act(port, lower)).overridden, ['autonomyLevel', 'autonomyLevels']);
    orchestrator.agents.delete('a');
    assert.deepEqual(await act(port, lower), first);
  });

  test('what was restored does not count', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator);
    const lower = adjust('a', 'lower');
    const first = await act(port, lower);
    await act(port, restore(lower));
    assert.deepEqual(await act(port, lower), first);
  });
});

describe('restore', { concurrency: true }, () => {
  test('only what nobody changed since', async (context) => {
    const orchestrator = new FakeOrchestrator('a', 'b');
    const { port } = await bridged(context, orchestrator);
    const [first, second] = [adjust('a', 'lower'), adjust('b', 'lower')];
    await act(port, first);
    await act(port, second);
    orchestrator.autonomyLevels.set('a', 0.77);
    const part = await act(port, restore(first));
    assert.deepEqual([part.status, part.error], ['refused', 'changed since: autonomyLevels']);
    assert.deepEqual(part.changes, [change('a', 'autonomyLevel', 0.9 * 0.95, 0.8)]);
    assert.deepEqual(
      [orchestrator.autonomyLevels.get('a'), orchestrator.agents.get('a').autonomyLevel],
      [0.77, 0.8],
    );
    orchestrator.autonomyLevels.set('a', 0.9 * 0.95);
    const rest = await act(port, restore(first));
    assert.deepEqual(rest.changes, [change('a', 'autonomyLevels', 0.9 * 0.95, 0.9)]);
    assert.equal(rest.status, 'done');
    assert.match((await act(port, restore(first))).error, /nothing to restore/);
    assert.equal((await act(port, restore(second))).status, 'done');
  });

  test('what is unknown, changed nothing, or cannot be restored', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const objects = new FakeAgent('objects', {
      goals: { plan: { steps: 3 } },
      async executeAdaptation() {
        this.goals.plan = 'none';
        this.goals.frozen = Object.freeze({ x: 1 });
      },
    });
    const stubborn = new FakeAgent('stubborn', {
      async updateAutonomyLevel() {
        this.autonomyLevel = 0.7;
      },
    });
    orchestrator.add(objects);
    orchestrator.add(stubborn);
    const { port } = await bridged(context, orchestrator);
    assert.match((await act(port, restore({ id: 'never' }))).error, /no action never is known/);
    const nothing = adapt('a');
    await act(port, nothing);
    assert.match((await act(port, restore(nothing))).error, /nothing to restore/);
    const self = order('restore', { restores: `test-${ids + 1}` });
    assert.equal(self.restores, self.id);
    assert.match((await act(port, self)).error, /no action/);
    const [one, other] = [adapt('objects'), adjust('stubborn', 'lower')];
    await act(port, one);
    await act(port, other);
    assert.equal(
      (await act(port, restore(one))).error,
      'cannot be restored: goals.frozen.x, goals.frozen, goals.plan.steps, goals.plan',
    );
    const part = await act(port, restore(other));
    assert.deepEqual([part.error, part.status], ['cannot be restored: autonomyLevel', 'refused']);
    assert.equal(orchestrator.autonomyLevels.get('stubborn'), 0.9);
    orchestrator.agents.delete('stubborn');
    assert.match((await act(port, restore(other))).error, /no agent "stubborn"/);
  });

  test('a level that was not there is taken away, not handed to the bot', async (context) => {
    const levels = [];
    const agent = {
      async updateAutonomyLevel(level) {
        levels.push(level);
        this.autonomyLevel = level;
      },
    };
    const orchestrator = { agents: new Map([['a', agent]]), autonomyLevels: new Map([['a', 0.5]]) };
    const { port } = await bridged(context, orchestrator);
    const lower = adjust('a', 'lower');
    const { changes } = await act(port, lower);
    assert.deepEqual(changes[0], change('a', 'autonomyLevel', null, 0.475));
    assert.equal((await act(port, restore(lower))).status, 'done');
    assert.deepEqual([levels, 'autonomyLevel' in agent], [[0.475], false]);
  });

  test('what a method changed before it failed', async (context) => {
    const orchestrator = new FakeOrchestrator();
    const agent = new FakeAgent('a', {
      goals: { x: 1 },
      async executeAdaptation() {
        this.goals.x = 2;
        throw new Error('half way');
      },
    });
    orchestrator.add(agent);
    const { port } = await bridged(context, orchestrator);
    const failing = adapt('a');
    const answer = await act(port, failing);
    assert.deepEqual([answer.status, answer.changes], ['failed', [change('a', 'goals.x', 1, 2)]]);
    assert.equal((await act(port, restore(failing))).status, 'done');
    assert.equal(agent.goals.x, 1);
  });

  test('on the orchestrator that is attached by then', async (context) => {
    const [first, second] = [new FakeOrchestrator('a'), new FakeOrchestrator('a')];
    const { bridge, port } = await bridged(context, first);
    const lower = adjust('a', 'lower');
    await act(port, lower);
    bridge.attach(second);
    assert.equal((await act(port, adjust('a', 'raise'))).status, 'done');
    assert.equal(second.autonomyLevels.get('a'), 0.9 * 1.05);
    assert.equal((await act(port, restore(lower))).error, 'changed since: autonomyLevels, autonomyLevel');
    assert.equal(first.autonomyLevels.get('a'), 0.9 * 0.95);
  });
});

describe('once, and one at a time', { concurrency: true }, () => {
  test('the same id acts once', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator);
    const body = adjust('a', 'lower');
    const answers = await Promise.all(Array.from({ length: 10 }, () => act(port, body)));
    const turned = Object.fromEntries(Object.entries(body).toReversed());
    for (const answer of [...answers, await act(port, turned)]) assert.deepEqual(answer, answers[0]);
    assert.equal(orchestrator.autonomyLevels.get('a'), 0.9 * 0.95);
    assert.equal((await problem(port, { ...body, direction: 'raise' })).status, 400);
    assert.equal((await problem(port, { ...order('pause'), id: body.id })).status, 400);
    assert.equal(orchestrator.db.commands.length, 0);
    const refused = adapt('none');
    await act(port, refused);
    orchestrator.add(new FakeAgent('none'));
    assert.equal((await act(port, refused)).status, 'refused');
  });

  test('one that takes long is running, then done; meanwhile there is no other', async (context) => {
    let calls = 0;
    let finish;
    const agent = new FakeAgent('a', {
      goals: {},
      executeAdaptation() {
        calls += 1;
        return new Promise((resolve) => {
          finish = () => {
            this.goals.x = 1;
            resolve();
          };
        });
      },
    });
    const orchestrator = new FakeOrchestrator('b');
    orchestrator.add(agent);
    const { port } = await bridged(context, orchestrator, {}, { action: 1000 });
    const body = adapt('a');
    const first = act(port, body);
    await until(() => calls === 1, 'the call');
    const busy = await problem(port, adjust('b', 'lower'));
    assert.deepEqual([busy.status, busy.retryAfter], [429, '1']);
    assert.equal((await problem(port, { ...body, agent: 'b' })).status, 400);
    assert.ok(finish, 'the method has not returned');
    assert.equal((await first).status, 'running');
    assert.deepEqual((await first).changes, []);
    const again = act(port, body);
    await sleep(50);
    finish();
    assert.deepEqual((await again).changes, [change('a', 'goals.x', null, 1)]);
    assert.equal((await act(port, body)).status, 'done');
    assert.equal(calls, 1);
    assert.equal((await act(port, adjust('b', 'lower'))).status, 'done');
  });

  /** An agent whose method changes something, waits for the test, and changes more. */
  function slow(id, method) {
    const ends = {};
    const members = {
      goals: { early: 1, late: 1 },
      async [method]() {
        this.goals.early += 1;
        await new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }));
        this.goals.late += 1;
      },
    };
    return Object.assign(new FakeAgent(id, members), { ends });
  }

  /** Until an action that has begun has had its time, and others have their turn. */
  const untilLate = (port, body) =>
    until(async () => {
      const { status, error, retryAfter } = await problem(port, restore(body));
      assert.equal(status, 429);
      return retryAfter === '10' && error === `${body.id} is still running`;
    }, 'the next turn');

  test('one that never ends lets the others go on, and its agent is left alone', async (context) => {
    const orchestrator = new FakeOrchestrator('b');
    const [first, second] = [slow('a', 'executeAdaptation'), slow('c', 'updateAutonomyLevel')];
    orchestrator.add(first);
    orchestrator.add(second);
    const { port } = await bridged(context, orchestrator, { actionTimeLimitSeconds: 0.2 });
    const before = adjust('a', 'lower');
    await act(port, before);
    const pause = order('pause');
    await act(port, pause);
    let commands = 0;
    orchestrator.db.createSystemCommand = () => new Promise(() => (commands += 1));
    const hanging = [adapt('a'), adjust('c', 'lower'), order('pause')];
    const begun = [() => first.goals.early === 2, () => second.goals.early === 2, () => commands === 1];
    const answers = [];
    for (const [index, body] of hanging.entries()) {
      answers.push(act(port, body));
      await until(begun[index], body.action);
      await untilLate(port, body);
    }
    assert.equal((await act(port, adjust('b', 'lower'))).status, 'done');
    for (const body of [
      ...[adapt('a'), adjust('a', 'lower'), restore(before)],
      ...[adapt('c'), adjust('c', 'raise')],
      ...[order('pause'), order('resume'), restore(pause)],
    ]) {
      const { status, error, retryAfter } = await problem(port, body);
      assert.deepEqual([status, retryAfter], [429, '10'], JSON.stringify(body));
      assert.equal(error, 'an earlier call on the same object is still pending');
    }
    assert.equal(orchestrator.autonomyLevels.get('a'), 0.9 * 0.95);
    assert.deepEqual([first.goals.early, second.goals.early, commands], [2, 2, 1]);
    for (const { status, changes } of await Promise.all(answers)) {
      assert.deepEqual([status, changes], ['running', []]);
    }
  });

  for (const [how, status, late] of [
    ['resolve', 'done', 2],
    ['reject', 'failed', 1],
  ]) {
    test(`what it changed is reported and restored when it ends late (${how})`, async (context) => {
      const orchestrator = new FakeOrchestrator('b');
      const agent = slow('a', 'executeAdaptation');
      orchestrator.add(agent);
      const { port } = await bridged(context, orchestrator, { actionTimeLimitSeconds: 0.1 });
      const [body, other] = [adapt('a'), adjust('b', 'lower')];
      const first = act(port, body);
      await until(() => agent.ends.resolve, 'the call');
      await untilLate(port, body);
      const back = restore(body);
      assert.equal((await problem(port, back)).status, 429);
      assert.equal((await act(port, other)).status, 'done');
      agent.ends[how](new Error('late'));
      const answer = await first;
      assert.equal(answer.status, status);
      const changes = [change('a', 'goals.early', 1, 2), change('a', 'goals.late', 1, 2)].slice(0, late);
      assert.deepEqual(answer.changes, changes);
      assert.deepEqual(await act(port, body), answer);
      assert.equal((await act(port, back)).status, 'done');
      assert.deepEqual(agent.goals, { early: 1, late: 1 });
      assert.equal(orchestrator.autonomyLevels.get('b'), 0.9 * 0.95);
      assert.equal((await act(port, adjust('a', 'lower'))).status, 'done');
    });
  }

  test('a command that fails late was not given', async (context) => {
    let fail;
    const orchestrator = new FakeOrchestrator('a');
    orchestrator.db.createSystemCommand = () =>
      new Promise((_, reject) => (fail = () => reject(new Error('SQLITE_BUSY'))));
    const { port } = await bridged(context, orchestrator, { actionTimeLimitSeconds: 0.1 });
    const pause = order('pause');
    const answer = act(port, pause);
    await until(() => fail, 'the call');
    await untilLate(port, pause);
    fail();
    const { status, changes, error } = await answer;
    assert.deepEqual([status, changes, error], ['failed', [], 'createSystemCommand(): SQLITE_BUSY']);
    assert.match((await act(port, restore(pause))).error, /nothing to restore/);
  });

  test('a client that goes away does not end the action', async (context) => {
    let finish;
    const orchestrator = new FakeOrchestrator();
    orchestrator.add(
      new FakeAgent('a', { executeAdaptation: () => new Promise((resolve) => (finish = resolve)) }),
    );
    const { port } = await bridged(context, orchestrator);
    const body = adapt('a');
    const agent = new http.Agent();
    const gone = assert.rejects(post(port, body, { agent }));
    await until(() => finish, 'the call');
    agent.destroy();
    await gone;
    finish();
    assert.equal((await act(port, body)).status, 'done');
  });
});

describe('limits', () => {
  test('an action is answered before its request times out', () => {
    assert.ok(ACTION_WAIT_MILLISECONDS < REQUEST_MILLISECONDS);
  });

  const bytes = (body) => Buffer.from(JSON.stringify(body));
  const executor = (orchestrator) =>
    new ActionExecutor({ allowed: ALL, timeLimitSeconds: 1 }, () => orchestrator);

  test('sixty a minute; what was asked before is still answered', async (context) => {
    context.mock.method(performance, 'now', () => time);
    let time = 1000;
    const actions = executor(new FakeOrchestrator('a'));
    const bodies = Array.from({ length: 61 }, () => adapt('a'));
    for (const body of bodies.slice(0, 60))
      assert.equal((await actions.handle(bytes(body), 1000)).status, 200);
    time += 15_000.5;
    const { status, document, retryAfter } = await actions.handle(bytes(bodies[60]), 1000);
    seen.problems.push(document);
    assert.deepEqual([status, retryAfter], [429, 45]);
    assert.equal((await actions.handle(bytes(bodies[0]), 1000)).status, 200);
    time += 44_000;
    assert.equal((await actions.handle(bytes(bodies[60]), 1000)).retryAfter, 1);
    time += 1000;
    assert.equal((await actions.handle(bytes(bodies[60]), 1000)).status, 200);
  });

  test('the newest thousand are remembered', async (context) => {
    let time = 0;
    context.mock.method(performance, 'now', () => (time += 2000));
    const orchestrator = new FakeOrchestrator('a');
    const actions = executor(orchestrator);
    const bodies = Array.from({ length: 1001 }, () => order('pause'));
    for (const body of bodies) assert.equal((await actions.handle(bytes(body), 1000)).status, 200);
    for (const body of bodies.slice(1)) await actions.handle(bytes(body), 1000);
    assert.equal(orchestrator.db.commands.length, 1001);
    const { document } = await actions.handle(bytes(restore(bodies[0])), 1000);
    assert.match(document.error, /no action/);
  });

  test('fewer, when they changed very much', async (context) => {
    let time = 0;
    context.mock.method(performance, 'now', () => (time += 2000));
    let round = 0;
    const orchestrator = new FakeOrchestrator();
    orchestrator.add(
      new FakeAgent('a', {
        executeAdaptation() {
          round += 1;
          this.goals = Array.from({ length: 300 }, (_, index) => `${index} in round ${round}`);
        },
      }),
    );
    const actions = executor(orchestrator);
    const bodies = Array.from({ length: 120 }, () => adapt('a'));
    const changed = [];
    for (const body of bodies) {
      const { document } = await actions.handle(bytes(body), 1000);
      changed.push(document.changes.length);
      if (body === bodies[1]) seen.answers.push(document);
    }
    assert.deepEqual(new Set(changed.slice(1)), new Set([200]));
    const known = async (body) => (await actions.handle(bytes(restore(body)), 1000)).document.error;
    assert.match(await known(bodies[10]), /no action/);
    assert.match(await known(bodies[60]), /changed since: goals\.199, /);
    assert.equal(await known(bodies[119]), undefined);
  });
});

describe('one owner', () => {
  test('others get 409 until a day after its last request', async (context) => {
    let time = 1000;
    context.mock.method(performance, 'now', () => time);
    const orchestrator = new FakeOrchestrator('a');
    const actions = new ActionExecutor({ allowed: ALL, timeLimitSeconds: 1 }, () => orchestrator);
    const ask = async (body) => {
      const answer = await actions.handle(Buffer.from(JSON.stringify(body)), 1000);
      seen.requests.push(body);
      (answer.status === 200 ? seen.answers : seen.problems).push(answer.document);
      return answer;
    };
    assert.equal((await ask(adjust('a', 'lower', { owner: 'first' }))).status, 200);
    const level = orchestrator.autonomyLevels.get('a');
    for (const owner of [{ owner: 'second' }, {}]) {
      const { status, document } = await ask(adjust('a', 'lower', owner));
      assert.equal(status, 409);
      assert.match(document.error, /another optimizer acts on this bot/);
    }
    assert.equal(orchestrator.autonomyLevels.get('a'), level);
    assert.equal((await ask(order('describe', { owner: 'second' }))).status, 200);
    time += 86_399_000;
    assert.equal((await ask(order('check', { checks: 'unknown', owner: 'first' }))).status, 200);
    time += 86_399_000;
    assert.equal((await ask(adjust('a', 'lower', { owner: 'second' }))).status, 409);
    time += 1000;
    assert.equal((await ask(adjust('a', 'lower', { owner: 'second' }))).status, 200);
  });
});

describe('looking', () => {
  test('whether what was changed still stands', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator);
    const lower = adjust('a', 'lower');
    const { changes } = await act(port, lower);
    assert.ok(changes.length > 0);
    const check = order('check', { checks: lower.id });
    assert.deepEqual((await act(port, check)).changes, []);
    orchestrator.autonomyLevels.set('a', 0.95);
    const found = await act(port, check);
    const left = changes.find(({ path }) => path === 'autonomyLevels').to;
    assert.deepEqual(found.changes, [change('a', 'autonomyLevels', left, 0.95)]);
    const unknown = await act(port, order('check', { checks: 'x' }));
    assert.equal(unknown.status, 'refused');
  });

  test('what the bot is able to do, of what is allowed', async (context) => {
    const orchestrator = new FakeOrchestrator('a');
    const { port } = await bridged(context, orchestrator, { allowActions: ['adjust_autonomy', 'pause'] });
    const { abilities } = await act(port, order('describe'));
    assert.deepEqual(abilities, [
      { agent: '', actions: ['pause'] },
      { agent: 'a', actions: ['adjust_autonomy'] },
    ]);
  });
});

test('requests and answers are those of the schema', { timeout: 60_000 }, () => {
  for (const [definition, documents] of [
    ['request', seen.requests],
    ['answer', seen.answers],
    ['problem', seen.problems],
  ]) {
    assert.ok(documents.length > 5, `${documents.length} of ${definition}`);
    const found = schemaErrors(documents, ACTIONS_SCHEMA, definition);
    assert.deepEqual(
      found.flatMap((fault, index) => (fault ? [[fault, documents[index]]] : [])),
      [],
    );
  }
});
