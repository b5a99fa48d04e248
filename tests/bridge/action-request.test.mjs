import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseRequest } from '../../exporter/bridge/action-request.mjs';
import { ACTIONS_SCHEMA, schemaErrors } from './support.mjs';

const COMMON = { version: 1, id: 'a_B-9', botStart: 1795364412.5 };
const ADAPT = { ...COMMON, action: 'execute_adaptation', agent: 'a', adaptations: ['GOAL_ADAPTATION'] };
const ADJUST = { ...COMMON, action: 'adjust_autonomy', agent: 'a', direction: 'lower' };
const RESTORE = { ...COMMON, action: 'restore', restores: 'b' };
const PAUSE = { ...COMMON, action: 'pause' };

const RIGHT = [
  ADAPT,
  { ...ADAPT, adaptations: ['INCREASE_AUTONOMY', 'STRATEGY_ADJUSTMENT', 'GOAL_ADAPTATION'] },
  { ...ADAPT, agent: 'x'.repeat(128) },
  ADJUST,
  { ...ADJUST, direction: 'raise' },
  RESTORE,
  PAUSE,
  { ...COMMON, action: 'resume' },
  { ...PAUSE, id: 'x'.repeat(80), botStart: 0 },
];

const without = (request, key) =>
  Object.fromEntries(Object.entries(request).filter(([each]) => each !== key));

const WRONG = [
  ...[ADAPT, ADJUST, RESTORE, PAUSE].flatMap((right) => [
    ...Object.keys(right).map((key) => without(right, key)),
    ...Object.keys(right).map((key) => ({ ...right, [key]: null })),
    ...Object.keys(right).map((key) => ({ ...right, [key]: [right[key]] })),
    { ...right, more: 1 },
    JSON.parse(`{"__proto__": 1, ${JSON.stringify(right).slice(1)}`),
  ]),
  { ...PAUSE, agent: 'a' },
  { ...PAUSE, restores: 'b' },
  { ...ADJUST, adaptations: ['GOAL_ADAPTATION'] },
  { ...ADAPT, adaptations: [] },
  { ...ADAPT, adaptations: ['GOAL_ADAPTATION', 'GOAL_ADAPTATION'] },
  { ...ADAPT, adaptations: ['GOAL_ADAPTATION', 'SELL_ALL'] },
  { ...ADAPT, adaptations: 'GOAL_ADAPTATION' },
  { ...ADAPT, adaptations: { 0: 'GOAL_ADAPTATION', length: 1 } },
  { ...ADAPT, agent: '' },
  { ...ADAPT, agent: 'x'.repeat(129) },
  { ...ADAPT, agent: 5 },
  { ...ADJUST, direction: 'LOWER' },
  { ...PAUSE, action: 'stop' },
  { ...PAUSE, action: 'constructor' },
  { ...PAUSE, action: '__proto__' },
  { ...PAUSE, version: 2 },
  { ...PAUSE, version: '1' },
  { ...PAUSE, version: true },
  { ...PAUSE, id: '' },
  { ...PAUSE, id: 'x'.repeat(81) },
  { ...PAUSE, id: 'a b' },
  { ...PAUSE, id: 'ä' },
  { ...PAUSE, id: 7 },
  { ...PAUSE, botStart: '1795364412.5' },
  { ...PAUSE, botStart: -1 },
  { ...RESTORE, restores: '../a' },
  null,
  5,
  'pause',
  [],
  [PAUSE],
  {},
];

const bytes = (text) => Buffer.from(text);
const read = (request) => parseRequest(bytes(JSON.stringify(request)));

test('what the schema allows is read, whatever the order of its keys', () => {
  for (const request of RIGHT) {
    assert.deepEqual(read(request), request);
    const turned = Object.fromEntries(Object.entries(request).toReversed());
    assert.equal(JSON.stringify(read(turned)), JSON.stringify(read(request)));
  }
  assert.deepEqual(
    schemaErrors(RIGHT, ACTIONS_SCHEMA, 'request'),
    RIGHT.map(() => null),
  );
});

test('what the schema does not allow is not read, and the message says what is wrong', () => {
  for (const request of WRONG) assert.throws(() => read(request), Error, JSON.stringify(request));
  const allowed = schemaErrors(WRONG, ACTIONS_SCHEMA, 'request').flatMap((fault, index) =>
    fault === null ? [WRONG[index]] : [],
  );
  assert.deepEqual(allowed, []);
  const messages = [
    [without(ADJUST, 'agent'), 'agent is missing'],
    [{ ...PAUSE, more: 1 }, 'pause has no key "more"'],
    [{ ...PAUSE, ['k'.repeat(5000)]: 1 }, `pause has no key "${'k'.repeat(64)}"`],
    [{ ...ADJUST, direction: 'up' }, 'direction must be one of lower, raise'],
    [[], 'the body is not an object'],
  ];
  for (const [request, message] of messages) assert.throws(() => read(request), { message });
});

test('what is no JSON is not read', () => {
  const texts = [
    '',
    ' ',
    '{',
    '{"version":1',
    `${JSON.stringify(PAUSE)}x`,
    "{'version':1}",
    '['.repeat(16384),
    '\0',
  ];
  for (const text of texts) assert.throws(() => parseRequest(bytes(text)), /the body is not UTF-8 JSON/);
  assert.throws(() => parseRequest(Buffer.from([0x22, 0xff, 0x22])), /the body is not UTF-8 JSON/);
  assert.throws(
    () => parseRequest(Buffer.from(JSON.stringify(PAUSE), 'utf16le')),
    /the body is not UTF-8 JSON/,
  );
  assert.throws(
    () => parseRequest(bytes(JSON.stringify(PAUSE).replace('1795364412.5', '1e999'))),
    /botStart/,
  );
});
