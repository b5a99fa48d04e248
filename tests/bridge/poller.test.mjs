import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AgentPoller } from '../../exporter/bridge/poller.mjs';
import { sleep, until } from './support.mjs';

/** Polls the agents {id: agent} until the test is over. */
function polling(context, agents, { interval = 20, timeLimit = 1000 } = {}) {
  const poller = new AgentPoller(() => Object.entries(agents), { interval, timeLimit });
  poller.start();
  const alive = setInterval(() => {}, 1000);
  context.after(() => {
    poller.stop();
    clearInterval(alive);
  });
  return poller;
}

test('results come with their time', async (context) => {
  const agent = { evaluateGoalProgress: () => 0.5, getPerformanceMetrics: async () => ({ apiCallsUsed: 3 }) };
  const poller = polling(context, { agent });
  assert.equal(poller.goalProgress(agent), undefined);
  await until(() => poller.selfReport(agent), 'a report');
  const { overall, time } = poller.goalProgress(agent);
  assert.equal(overall, 0.5);
  assert.ok(Math.abs(time - Date.now() / 1000) < 5);
  assert.equal(poller.selfReport(agent).value.report.apiCallsUsed, 3);
});

test('methods are called with nothing, never closer than the interval, never side by side', async (context) => {
  const calls = [];
  let running = 0;
  const agent = {
    async evaluateGoalProgress(...args) {
      assert.equal(this, agent);
      assert.deepEqual(args, []);
      calls.push(performance.now());
      running += 1;
      assert.equal(running, 1);
      await sleep(10);
      running -= 1;
      return 1;
    },
  };
  polling(context, { agent }, { interval: 50 });
  await until(() => calls.length >= 4, 'four calls');
  for (let index = 1; index < calls.length; index += 1) assert.ok(calls[index] - calls[index - 1] >= 49);
});

test('what hangs is called once, and holds up nobody', async (context) => {
  let calls = 0;
  const hanging = { evaluateGoalProgress: () => new Promise(() => (calls += 1)) };
  const other = { evaluateGoalProgress: () => 1 };
  const agents = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`h${index}`, { ...hanging }]));
  const poller = polling(context, { ...agents, other }, { timeLimit: 30 });
  await until(() => poller.goalProgress(other), 'the other');
  await sleep(200);
  assert.equal(calls, 8);
});

test('what throws, rejects or returns nonsense is polled again, and nothing is unhandled', async (context) => {
  let calls = 0;
  const answers = [
    () => {
      throw new Error('thrown');
    },
    () => Promise.reject(new Error('rejected')),
    () => ({
      then() {
        throw new Error('thenable');
      },
    }),
    () => ({
      get then() {
        throw new Error('getter');
      },
    }),
    () =>
      Object.assign(Promise.resolve(1), {
        then() {
          throw new Error('own then');
        },
      }),
    () =>
      new Proxy(
        {},
        {
          get() {
            throw new Error('trap');
          },
        },
      ),
    () => 'nonsense',
    () => 0.9,
  ];
  const agent = { evaluateGoalProgress: () => answers[Math.min(calls++, answers.length - 1)]() };
  const poller = polling(context, { agent });
  await until(() => poller.goalProgress(agent), 'the last answer');
  assert.equal(poller.goalProgress(agent).overall, 0.9);
});

test('a result that is late counts when it comes', async (context) => {
  const agent = { evaluateGoalProgress: () => sleep(100).then(() => 0.3) };
  const poller = polling(context, { agent }, { timeLimit: 10, interval: 500 });
  await until(() => poller.goalProgress(agent), 'the late answer');
});

test('a result is dropped when no new one comes for three intervals', async (context) => {
  let calls = 0;
  const agent = { evaluateGoalProgress: () => (calls++ === 0 ? 1 : new Promise(() => {})) };
  const poller = polling(context, { agent }, { interval: 500 });
  await until(() => poller.goalProgress(agent), 'the answer');
  await until(() => !poller.goalProgress(agent), 'its end');
});

test('what blocks the event loop is called less and less often', async (context) => {
  const now = performance.now.bind(performance);
  let time = 0;
  context.mock.method(performance, 'now', () => time);
  const calls = { blocking: 0, other: 0 };
  const blocking = {
    evaluateGoalProgress() {
      calls.blocking += 1;
      time += 60;
    },
  };
  const other = { evaluateGoalProgress: () => (calls.other += 1) };
  polling(context, { blocking, other }, { interval: 10 });
  const rounds = async (count) => {
    const end = calls.other + count;
    for (const limit = now() + 60_000; calls.other < end && now() < limit;) await sleep(5);
  };
  await rounds(3);
  for (const [earlier, backoff] of [20, 40, 80].entries()) {
    time += backoff - 1;
    await rounds(3);
    assert.equal(calls.blocking, earlier + 1);
    time += 1;
    await rounds(3);
    assert.equal(calls.blocking, earlier + 2);
  }
});

test('agents of any kind, and without methods, are skipped', async (context) => {
  const good = { evaluateGoalProgress: () => 1 };
  const bad = {
    get evaluateGoalProgress() {
      throw new Error('getter');
    },
  };
  const poller = polling(context, { none: null, text: 'x', number: 5, empty: {}, bad, good });
  await until(() => poller.goalProgress(good), 'the good one');
  assert.equal(poller.hasSelfReport(good), false);
});

test('an interval of 0 disables polling', async (context) => {
  let calls = 0;
  polling(context, { agent: { evaluateGoalProgress: () => (calls += 1) } }, { interval: 0 });
  await sleep(100);
  assert.equal(calls, 0);
});
