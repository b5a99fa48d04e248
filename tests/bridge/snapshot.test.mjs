import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ABSENT, OPAQUE, Snapshot, resolvePath, setValue, valueAt } from '../../exporter/bridge/snapshot.mjs';
import { cpuMilliseconds } from './support.mjs';

function snapshot(agent) {
  const taken = new Snapshot();
  taken.walk(agent, 'goals');
  return taken;
}

/** What differs after the goals became others, as path → [from, to]. */
function difference(before, after) {
  const [earlier, later] = [snapshot({ goals: before }), snapshot({ goals: after })];
  return Object.fromEntries(earlier.diff(later).map(({ path, from, to }) => [path, [from, to]]));
}

test('plain values, in objects, arrays and Maps', () => {
  const before = {
    text: 'a',
    number: 1,
    same: 5,
    flag: false,
    none: null,
    deep: { a: { b: { c: 1 } } },
    list: [1, { x: 1 }, 3],
    map: new Map([['weight', 0.5]]),
    gone: 1,
  };
  const after = {
    text: 'b',
    number: 2.5,
    same: 5,
    flag: true,
    none: 0,
    deep: { a: { b: { c: 2 } } },
    list: [1, { x: 2 }, 3, 4],
    map: new Map([
      ['weight', 0.6],
      ['more', 1],
    ]),
    come: 1,
  };
  assert.deepEqual(difference(before, after), {
    'goals.text': ['a', 'b'],
    'goals.number': [1, 2.5],
    'goals.flag': [false, true],
    'goals.none': [null, 0],
    'goals.deep.a.b.c': [1, 2],
    'goals.list.1.x': [1, 2],
    'goals.list.3': [ABSENT, 4],
    'goals.map.weight': [0.5, 0.6],
    'goals.map.more': [ABSENT, 1],
    'goals.gone': [1, ABSENT],
    'goals.come': [ABSENT, 1],
  });
  assert.deepEqual(difference(before, structuredClone(before)), {});
});

test('goals that are no object, or are none', () => {
  assert.deepEqual(difference('a', 'b'), { goals: ['a', 'b'] });
  assert.deepEqual(difference({ x: 1 }, 'b'), { goals: [OPAQUE, 'b'], 'goals.x': [1, ABSENT] });
  assert.deepEqual(difference(undefined, 5), { goals: [OPAQUE, 5] });
  const later = snapshot({ goals: 5 });
  assert.deepEqual(snapshot({}).diff(later), [{ path: 'goals', from: ABSENT, to: 5 }]);
});

test('what is not plain is neither recorded nor looked into', () => {
  const others = [
    NaN,
    Infinity,
    5n,
    Symbol('s'),
    () => {},
    undefined,
    'x'.repeat(201),
    '\ud800',
    new Date(0),
  ];
  for (const other of others)
    assert.deepEqual(difference({ a: 1 }, { a: other }), { 'goals.a': [1, OPAQUE] });
  for (const other of others) assert.deepEqual(difference({ a: other }, { a: new Set() }), {});
  assert.deepEqual(difference({ a: new Float64Array(2) }, { a: new Float64Array([1, 2]) }), {});
});

test('no getter, no trap, no method of the goals runs', () => {
  const never = () => {
    throw new Error('was run');
  };
  const trap = new Proxy(
    { a: 1 },
    Object.fromEntries(Object.getOwnPropertyNames(Reflect).map((name) => [name, never])),
  );
  class OwnMap extends Map {
    get = never;
    has = never;
    keys = never;
    entries = never;
    [Symbol.iterator] = never;
  }
  const goals = {
    get a() {
      return never();
    },
    set a(value) {
      never();
    },
    trap,
    list: [trap, 1],
    map: new OwnMap(),
    toJSON: never,
    valueOf: never,
  };
  Map.prototype.set.call(goals.map, 'inner', trap);
  Map.prototype.set.call(goals.map, trap, 1);
  const agent = { goals };
  const taken = snapshot(agent);
  goals.list[1] = 2;
  assert.deepEqual(taken.diff(snapshot(agent)), [{ path: 'goals.list.1', from: 1, to: 2 }]);
  assert.deepEqual(snapshot({ goals: trap }).diff(taken).length > 0, true);
  assert.deepEqual(snapshot(trap).diff(snapshot({})), []);
  for (const path of ['goals.a', 'goals.trap.a', 'goals.map.inner.a', 'goals.trap']) {
    const [holder, key] = resolvePath(agent, path);
    setValue(holder, key, path === 'goals.trap' ? trap : 5);
    assert.notEqual(valueAt(holder, key), 5);
  }
});

test('cycles end, and so do depth and number', () => {
  const cyclic = { a: 1 };
  cyclic.self = cyclic;
  const after = { a: 2 };
  after.self = after;
  assert.deepEqual(Object.keys(difference(cyclic, after)), [
    'goals.a',
    'goals.self.a',
    'goals.self.self.a',
    'goals.self.self.self.a',
  ]);
  const deep = (value) => ({ a: { b: { c: { d: value, e: { f: value } } } } });
  assert.deepEqual(difference(deep(1), deep(2)), { 'goals.a.b.c.d': [1, 2] });
  const wide = (value) => Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, value]));
  assert.equal(Object.keys(difference(wide(1), wide(2))).length, 200);
  assert.equal(Object.keys(difference(new Array(1e6).fill(1), new Array(1e6).fill(2))).length, 200);
});

test('beyond the bound, what was not seen has not come or gone', () => {
  const wide = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, 1]));
  assert.deepEqual(difference(wide, { first: 1, ...wide, k5: 2 }), { 'goals.k5': [1, 2] });
  assert.deepEqual(difference({ first: 1, ...wide }, wide), {});
});

test('huge goals take little time', () => {
  const goals = (size) => ({
    list: new Array(size).fill({}),
    map: new Map(Array.from({ length: size }, (_, index) => [index, index])),
    text: 'x'.repeat(size * 10),
  });
  const cost = (size) => {
    const agent = { goals: goals(size) };
    return cpuMilliseconds(() => {
      for (let round = 0; round < 50; round += 1) snapshot(agent);
    });
  };
  const [full, huge] = [cost(300), cost(1e6)];
  assert.ok(huge < 10 * full, `${huge} ms, ${full} ms for 300 values`);
});

test('names that could be mistaken for others are left out', () => {
  const goals = (first, second) => ({
    a: { b: first },
    'a.b': second,
    'x.y': second,
    '': second,
    ['k'.repeat(65)]: second,
    '\ud800': second,
    __proto__: { x: second },
    5: second,
  });
  assert.deepEqual(difference(goals(1, 1), goals(3, 2)), { 'goals.5': [1, 2], 'goals.a.b': [1, 3] });
});

test('setValue: set, add, remove, and what does not allow it stays', () => {
  const agent = {
    goals: {
      a: 1,
      map: new Map([['m', 1]]),
      list: [1, 2, 3],
      frozen: Object.freeze({ x: 1 }),
      sealed: Object.preventExtensions({ x: 1 }),
      frozenList: Object.freeze([1]),
    },
  };
  const puts = [
    ['goals.a', 2, 2],
    ['goals.b', 3, 3],
    ['goals.a', ABSENT, ABSENT],
    ['goals.map.m', 5, 5],
    ['goals.map.n', 6, 6],
    ['goals.map.m', ABSENT, ABSENT],
    ['goals.list.1', ABSENT, 2],
    ['goals.list.2', ABSENT, ABSENT],
    ['goals.list.2', 9, 9],
    ['goals.frozen.x', 2, 1],
    ['goals.frozen.x', ABSENT, 1],
    ['goals.sealed.y', 1, ABSENT],
    ['goals.sealed.x', 2, 2],
    ['goals.frozenList.0', ABSENT, 1],
    ['goals.none.x', 1, ABSENT],
    ['goals.b.x', 1, ABSENT],
    ['goals.__proto__', 1, 1],
  ];
  for (const [path, value, then] of puts) {
    const [holder, key] = resolvePath(agent, path);
    setValue(holder, key, value);
    assert.equal(valueAt(holder, key), then, path);
  }
  assert.deepEqual(agent.goals.list, [1, 2, 9]);
  assert.equal(Object.getPrototypeOf(agent.goals), Object.prototype);
});
