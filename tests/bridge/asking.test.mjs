import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Asking } from '../../exporter/bridge/asking.mjs';
import { sleep, until } from './support.mjs';

/** Asks the agents {id: agent} until the test is over. */
function asking(context, agents, { interval = 20, timeLimit = 1000 } = {}) {
  const asked = new Asking(() => Object.entries(agents), { interval, timeLimit });
  asked.start();
  const alive = setInterval(() => {}, 1000);
  context.after(() => {
    asked.stop();
    clearInterval(alive);
  });
  return asked;
}

test('answers come with their time', async (context) => {
  const agent = { evaluateGoalProgress: () => 0.5, getPerformanceMetrics: async () => ({ apiCallsUsed: 3 }) };
  const asked = asking(context, { agent });
  assert.equal(asked.goalProgressOf(agent), undefined);
  await until(() => asked.reportOf(agent), 'a report');
  const { overall, time } = asked.goalProgressOf(agent);
  assert.equal(overall, 0.5);
  assert.ok(Math.abs(time - Date.now() / 1000) < 5);
  assert.equal(asked.reportOf(agent).value.report.apiCallsUsed, 3);
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
  asking(context, { agent }, { interval: 50 });
  await until(() => calls.length >= 4, 'four calls');
  for (let index = 1; index < calls.length; index += 1) assert.ok(calls[index] - calls[index - 1] >= 49);
});

test('what hangs is called once, and holds up nobody', async (context) => {
  let calls = 0;
  const hanging = { evaluateGoalProgress: () => new Promise(() => (calls += 1)) };
  const other = { evaluateGoalProgress: () => 1 };
  const agents = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`h${index}`, { ...hanging }]));
  const asked = asking(context, { ...agents, other }, { timeLimit: 30 });
  await until(() => asked.goalProgressOf(other), 'the other');
  await sleep(200);
  assert.equal(calls, 8);
});

test('what throws, rejects or answers nonsense is asked again, and nothing is unhandled', async (context) => {
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
  const asked = asking(context, { agent });
  await until(() => asked.goalProgressOf(agent), 'the last answer');
  assert.equal(asked.goalProgressOf(agent).overall, 0.9);
});

test('an answer that is late counts when it comes', async (context) => {
  const agent = { evaluateGoalProgress: () => sleep(100).then(() => 0.3) };
  const asked = asking(context, { agent }, { timeLimit: 10, interval: 500 });
  await until(() => asked.goalProgressOf(agent), 'the late answer');
});

test('an answer is dropped when no new one comes for three intervals', async (context) => {
  let calls = 0;
  const agent = { evaluateGoalProgress: () => (calls++ === 0 ? 1 : new Promise(() => {})) };
  const asked = asking(context, { agent });
  await until(() => asked.goalProgressOf(agent), 'the answer');
  await until(() => !asked.goalProgressOf(agent), 'its end');
});

test('what holds up the event loop is called less often', async (context) => {
  let calls = 0;
  const agent = {
    evaluateGoalProgress() {
      calls += 1;
      for (const end = performance.now() + 60; performance.now() < end;);
      return 1;
    },
  };
  asking(context, { agent }, { interval: 100 });
  await sleep(1000);
  assert.ok(calls >= 2 && calls <= 4, `${calls} calls`);
});

test('agents of any kind, and without methods, are skipped', async (context) => {
  const good = { evaluateGoalProgress: () => 1 };
  const bad = {
    get evaluateGoalProgress() {
      throw new Error('getter');
    },
  };
  const asked = asking(context, { none: null, text: 'x', number: 5, empty: {}, bad, good });
  await until(() => asked.goalProgressOf(good), 'the good one');
  assert.equal(asked.reports(good), false);
});

test('an interval of 0 asks nothing', async (context) => {
  let calls = 0;
  asking(context, { agent: { evaluateGoalProgress: () => (calls += 1) } }, { interval: 0 });
  await sleep(100);
  assert.equal(calls, 0);
});
