import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseGoalProgress, parseSelfReport } from '../../exporter/bridge/poll-results.mjs';

const plain = (value) => JSON.parse(JSON.stringify(value));

test('goal progress is a number or a tree of numbers', () => {
  assert.deepEqual(parseGoalProgress(0.4), { overall: 0.4 });
  assert.deepEqual(parseGoalProgress(0), { overall: 0 });
  const tree = {
    primary: 0.75,
    secondary: { progress: 0.5 },
    tactical: [0.1, 0.2],
    overallProgress: 0.7,
    needsAdaptation: true,
  };
  assert.deepEqual(plain(parseGoalProgress(tree)), { primary: 0.75, secondary: 0.5, overall: 0.7 });
});

test('goal progress without a number is none', () => {
  const throwing = Object.defineProperty({}, 'overallProgress', {
    get: () => assert.fail('a getter was called'),
  });
  const hostile = new Proxy({}, { get: () => assert.fail(), getOwnPropertyDescriptor: () => assert.fail() });
  for (const answer of [
    undefined,
    null,
    NaN,
    Infinity,
    '0.5',
    true,
    [],
    {},
    { overallProgress: '0.5' },
    throwing,
    hostile,
  ]) {
    assert.equal(parseGoalProgress(answer), undefined);
  }
});

test('a report is the numbers of the answer', () => {
  const answer = {
    successRate: 0.9,
    name: 'x',
    ok: true,
    big: 5n,
    nan: NaN,
    date: new Date(),
    list: [1, 2],
    map: new Map([[1, 2]]),
    typed: new Float64Array(4),
    nested: { deep: { deeper: { deepest: 1, '': 2 } }, none: {} },
    [Symbol('s')]: 3,
    run: () => 4,
  };
  const { report, values, leftOut } = parseSelfReport(answer);
  assert.deepEqual(plain(report), { successRate: 0.9, nested: { deep: { deeper: { deepest: 1 } } } });
  assert.deepEqual([values, leftOut], [2, 1]);
});

test('an answer that is no object is no report; one without numbers is an empty one', () => {
  for (const answer of [undefined, null, 5, 'text', [1], new Proxy({ a: 1 }, {}), () => {}]) {
    assert.equal(parseSelfReport(answer), undefined);
  }
  assert.deepEqual(plain(parseSelfReport({ a: 'b' }).report), {});
});

test('keys that mean something to JavaScript are keys', () => {
  const answer = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 2, "toJSON": 3}');
  assert.equal(
    JSON.stringify(parseSelfReport(answer).report),
    '{"__proto__":{"polluted":1},"constructor":2,"toJSON":3}',
  );
  assert.equal({}.polluted, undefined);
});

test('getters are not called', () => {
  const answer = {
    a: 1,
    get b() {
      return assert.fail('a getter was called');
    },
  };
  assert.deepEqual(plain(parseSelfReport(answer).report), { a: 1 });
});

test('a loop ends', () => {
  const answer = { a: 1 };
  answer.self = answer;
  const { report } = parseSelfReport(answer);
  assert.equal(JSON.stringify(report), '{"a":1,"self":{"a":1,"self":{"a":1,"self":{"a":1}}}}');
});

test('a tree in which everything is everywhere costs a bounded number of reads', (context) => {
  let level = { text: 'x' };
  for (let depth = 0; depth < 4; depth += 1) {
    level = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, level]));
  }
  const { mock: reads } = context.mock.method(Reflect, 'getOwnPropertyDescriptor');
  const { mock: listings } = context.mock.method(Object, 'keys');
  parseSelfReport(level);
  assert.ok(reads.callCount() < 2100 && listings.callCount() < 2100);
});

test('many numbers: the known names come first, the rest is counted', () => {
  const answer = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`k${index}`, index]));
  const { report, values, leftOut } = parseSelfReport({ ...answer, ['x'.repeat(65)]: 1, cacheHitRate: 0.5 });
  assert.equal(Object.keys(report)[0], 'cacheHitRate');
  assert.deepEqual([values, Object.keys(report).length, leftOut], [64, 64, 438]);
});
