import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CycleCounters, MessageCounters, NegotiationCounters } from '../../exporter/bridge/counters.mjs';
import { Histogram } from '../../exporter/bridge/histogram.mjs';

test('histogram buckets are cumulative and include their bound', () => {
  const histogram = new Histogram([0.1, 1, 10]);
  for (const value of [0, 0.1, 0.5, 1, 10, 11]) histogram.observe(value);
  assert.deepEqual(histogram.toJSON(), { bounds: [0.1, 1, 10], buckets: [2, 4, 5], count: 6, sum: 22.6 });
});

test('messages are counted by pair, delivered ones timed by sender', () => {
  const messages = new MessageCounters();
  messages.begin(['a', 'b'])(true);
  messages.begin(['a', 'b'])(false);
  messages.begin(['a', 'c']);
  messages.begin([{ agentId: 'b' }, { id: 7 }])(true);
  assert.deepEqual(messages.pairs, [
    { from: 'a', to: 'b', sent: 2, failed: 1 },
    { from: 'a', to: 'c', sent: 1, failed: 0 },
    { from: 'b', to: '7', sent: 1, failed: 0 },
  ]);
  assert.deepEqual(
    messages.latency.map(({ from, count }) => [from, count]),
    [
      ['a', 1],
      ['b', 1],
    ],
  );
});

test('names that are no names', () => {
  const messages = new MessageCounters();
  const hostile = new Proxy({}, { get: () => assert.fail() });
  for (const name of [undefined, null, '', {}, [], Symbol('x'), hostile])
    messages.begin([name, 'x'.repeat(129)])(true);
  messages.begin(['\ud800', 'b']);
  assert.deepEqual(messages.pairs, [
    { from: 'unknown', to: 'other', sent: 7, failed: 0 },
    { from: '\ufffd', to: 'b', sent: 1, failed: 0 },
  ]);
});

test('pairs past the bound are counted under other, known ones under their names', () => {
  const messages = new MessageCounters();
  for (let index = 0; index < 1500; index += 1) messages.begin(['a', `agent-${index}`])(index % 2 === 0);
  messages.begin(['a', 'agent-0'])(true);
  const { pairs } = messages;
  assert.equal(pairs.length, 1001);
  assert.deepEqual(pairs[0], { from: 'a', to: 'agent-0', sent: 2, failed: 0 });
  assert.deepEqual(pairs.at(-1), { from: 'other', to: 'other', sent: 500, failed: 250 });
  assert.equal(messages.overflowed, 500);
  assert.equal(messages.latency.at(-1).count, 250);
});

test('a negotiation succeeds unless it throws or says no', () => {
  const negotiations = new NegotiationCounters({ agent: 0 });
  for (const result of [true, undefined, 'deal', { success: true }, { terms: [] }]) {
    negotiations.begin(['a'])(true, result);
  }
  for (const result of [false, { success: false }, { agreed: false }, { accepted: false, price: 1 }]) {
    negotiations.begin(['b'])(true, result);
  }
  negotiations.begin(['b'])(false);
  negotiations.begin(['c']);
  assert.deepEqual(negotiations.toJSON(), [
    { agent: 'a', total: 5, succeeded: 5 },
    { agent: 'b', total: 5, succeeded: 0 },
    { agent: 'c', total: 1, succeeded: 0 },
  ]);
});

test('the agent of a negotiation, and its success, can be told', () => {
  const byPosition = new NegotiationCounters({ agent: 1 });
  byPosition.begin(['topic', { agentId: 'a' }])(true);
  assert.deepEqual(byPosition.toJSON(), [{ agent: 'a', total: 1, succeeded: 1 }]);
  const byFunction = new NegotiationCounters({
    agent: (deal) => deal.by.name,
    succeeded: ({ votes }) => votes > 2,
  });
  byFunction.begin([{ by: { name: 'a' } }])(true, { votes: 3 });
  byFunction.begin([{}])(true, { votes: 1 });
  assert.deepEqual(byFunction.toJSON(), [
    { agent: 'a', total: 1, succeeded: 1 },
    { agent: 'unknown', total: 1, succeeded: 0 },
  ]);
});

test('negotiating agents are bounded', () => {
  const negotiations = new NegotiationCounters({ agent: 0 });
  for (let index = 0; index < 1200; index += 1) negotiations.begin([`agent-${index}`])(true);
  assert.equal(negotiations.toJSON().length, 1001);
  assert.deepEqual(negotiations.toJSON().at(-1), { agent: 'other', total: 200, succeeded: 200 });
});

test('a cycle that settles without the end mark has failed, where the bot has one', () => {
  const cycles = new CycleCounters();
  cycles.begin()(true);
  cycles.marksEnd = true;
  const complete = cycles.begin();
  cycles.beginEndMark()(true);
  complete(true);
  cycles.begin()(true);
  const throwing = cycles.begin();
  cycles.beginEndMark()(false);
  throwing(true);
  const { total, failed, skipped, duration } = cycles.toJSON();
  assert.deepEqual({ total, failed, skipped, ended: duration.count }, { total: 4, failed: 2, skipped: 0, ended: 4 });
});

test('of two cycles that overlap, one is complete', () => {
  const cycles = new CycleCounters();
  cycles.marksEnd = true;
  const ends = [cycles.begin(), cycles.begin()];
  cycles.beginEndMark()(true);
  ends.forEach((end) => end(true));
  assert.equal(cycles.toJSON().failed, 1);
});

test('a cycle that finds the system paused is skipped', () => {
  const cycles = new CycleCounters();
  cycles.marksEnd = true;
  const run = (key, value, succeeded) => {
    const end = cycles.begin();
    cycles.beginSettingRead([key])(true, value);
    end(succeeded);
  };
  run('system_status', 'paused', true);
  run('system_status', 'running', true);
  run('something', 'paused', true);
  run('system_status', 'paused', false);
  cycles.beginSettingRead(['system_status'])(true, 'paused');
  const { total, failed, skipped, duration } = cycles.toJSON();
  assert.deepEqual({ total, failed, skipped, ended: duration.count }, { total: 4, failed: 3, skipped: 1, ended: 3 });
});

test('cycles count when they start, fail and end', () => {
  const cycles = new CycleCounters();
  assert.equal(cycles.toJSON().lastStart, undefined);
  const ends = [cycles.begin(), cycles.begin(), cycles.begin()];
  ends[0](true);
  ends[1](false);
  const { total, failed, running, duration, lastStart } = cycles.toJSON();
  assert.deepEqual(
    { total, failed, running, ended: duration.count },
    { total: 3, failed: 1, running: 1, ended: 2 },
  );
  assert.ok(Math.abs(lastStart - Date.now() / 1000) < 5);
});
