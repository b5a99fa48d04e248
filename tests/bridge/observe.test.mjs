import assert from 'node:assert/strict';
import { test } from 'node:test';
import { types } from 'node:util';

import { MethodWatch, mimic, observe } from '../../exporter/bridge/observe.mjs';
import { BRIDGE, folder, run } from './support.mjs';

/** An observed function, and the list of what was told about its calls. */
function told(original) {
  const log = [];
  const observed = observe(original, (args) => {
    log.push(['begin', ...args]);
    return (succeeded) => log.push([succeeded ? 'succeeded' : 'failed']);
  });
  return { observed, log };
}

const error = new Error('mine');

test('a sync function returns and throws the same', () => {
  const value = {};
  const good = told(() => value);
  assert.equal(good.observed(1, 2), value);
  assert.deepEqual(good.log, [['begin', 1, 2], ['succeeded']]);
  const bad = told(() => {
    throw error;
  });
  assert.throws(
    () => bad.observed(),
    (thrown) => thrown === error,
  );
  assert.deepEqual(bad.log, [['begin'], ['failed']]);
});

test('an async function resolves and rejects the same, and stays async', async () => {
  const value = {};
  const good = told(async () => value);
  assert.ok(types.isAsyncFunction(good.observed));
  assert.equal(await good.observed(), value);
  assert.deepEqual(good.log, [['begin'], ['succeeded']]);
  const bad = told(async () => {
    throw error;
  });
  await assert.rejects(bad.observed(), (thrown) => thrown === error);
  assert.deepEqual(bad.log, [['begin'], ['failed']]);
});

test('a promise that the function may share is returned itself', async () => {
  const shared = Promise.resolve(7);
  const good = told(() => shared);
  assert.equal(good.observed(), shared);
  assert.deepEqual(good.log, [['begin']]);
  await shared;
  assert.deepEqual(good.log, [['begin'], ['succeeded']]);
  const rejected = Promise.reject(error);
  const bad = told(() => rejected);
  assert.equal(bad.observed(), rejected);
  await assert.rejects(rejected, (thrown) => thrown === error);
  assert.deepEqual(bad.log, [['begin'], ['failed']]);
});

test('a thenable is not touched: it may begin its work when `then` is called', async () => {
  let calls = 0;
  const lazy = { then: () => (calls += 1) };
  class Special extends Promise {}
  const special = Special.resolve(1);
  const trap = new Proxy({}, { get: () => assert.fail('a trap was called') });
  for (const value of [lazy, special, trap]) {
    const { observed, log } = told(() => value);
    assert.ok(Object.is(observed(), value));
    await null;
    assert.deepEqual(log, [['begin']]);
  }
  assert.equal(calls, 0);
});

test('generators stay generators', async () => {
  const sync = told(function* () {
    yield 1;
  });
  assert.deepEqual([...sync.observed()], [1]);
  const slow = told(async function* () {
    yield 1;
  });
  for await (const value of slow.observed()) assert.equal(value, 1);
});

test('what stands for an async function is observed like one', () => {
  const original = async () => {};
  const { observed } = told(mimic(() => original(), original));
  assert.ok(types.isAsyncFunction(observed));
});

test('this, name, length and own properties are kept', () => {
  const original = Object.assign(
    function sendMessage(_from, _to) {
      return this;
    },
    { retries: 3 },
  );
  const { observed } = told(original);
  const self = {};
  assert.equal(observed.call(self), self);
  assert.deepEqual([observed.name, observed.length, observed.retries], ['sendMessage', 2, 3]);
});

test('what goes wrong in counting stays there', async () => {
  const fail = () => {
    throw new Error('counting');
  };
  for (const begin of [fail, () => fail, () => undefined]) {
    assert.equal(observe(() => 1, begin)(), 1);
    assert.equal(await observe(async () => 2, begin)(), 2);
    assert.equal(await observe(() => Promise.resolve(3), begin)(), 3);
  }
});

test('a method is observed on the object, invisibly, and given back', () => {
  class Channel {
    sendMessage() {
      return this;
    }
  }
  const channel = new Channel();
  const watch = new MethodWatch(() => () => {});
  watch.on(channel, 'sendMessage');
  assert.ok(watch.watching);
  assert.notEqual(channel.sendMessage, Channel.prototype.sendMessage);
  assert.equal(channel.sendMessage(), channel);
  assert.deepEqual(Object.keys(channel), []);
  watch.stop();
  assert.deepEqual(Reflect.ownKeys(channel), []);
});

test('the bot may replace the method, and keeps its own', () => {
  const channel = { sendMessage: () => 1 };
  const watch = new MethodWatch(() => () => {});
  watch.on(channel, 'sendMessage');
  const mine = () => 2;
  channel.sendMessage = mine;
  watch.on(channel, 'sendMessage');
  watch.stop();
  assert.equal(channel.sendMessage, mine);
});

test('an object that does not allow it is left alone', () => {
  const frozen = Object.freeze({ sendMessage: () => 1 });
  const accessor = Object.defineProperty({}, 'sendMessage', { get: () => () => 1 });
  const proxy = new Proxy(
    { sendMessage: () => 1 },
    { defineProperty: () => assert.fail('a trap was called') },
  );
  for (const object of [frozen, accessor, proxy, {}, null, 5, 'text']) {
    const watch = new MethodWatch(() => () => {});
    watch.on(object, 'sendMessage');
    assert.ok(!watch.watching);
    watch.stop();
  }
  assert.equal(frozen.sendMessage(), 1);
});

const REJECTING = `
  import { MethodWatch } from 'BRIDGE/observe.mjs';
  const channel = { FUNCTION };
  if (process.argv[2] === 'observed') new MethodWatch(() => () => {}).on(channel, 'sendMessage');
  process.on('exit', (code) => console.log('exit', code));
  CALL
  setTimeout(() => console.log('alive'), 50);
`;

test('a rejection is unhandled with the bridge exactly where it is without', async (context) => {
  const functions = [
    'async sendMessage() { throw new Error("lost") }',
    'async sendMessage() { await null; throw new Error("lost") }',
    'sendMessage() { throw new Error("lost") }',
  ];
  const calls = ['channel.sendMessage();', 'try { await channel.sendMessage() } catch {}'];
  const cases = functions.flatMap((text) => calls.map((call) => [text, call]));
  await Promise.all(
    cases.map(async ([text, call], index) => {
      const script = REJECTING.replace('BRIDGE/', BRIDGE).replace('FUNCTION', text).replace('CALL', call);
      const file = `${folder(context, { 'bot.mjs': script })}/bot.mjs`;
      const [bare, observed] = await Promise.all([run([file]), run([file, 'observed'])]);
      assert.deepEqual([observed.code, observed.stdout], [bare.code, bare.stdout], `case ${index}`);
      assert.equal(bare.code, call.startsWith('try') ? 0 : 1);
      assert.equal(
        observed.stderr.split('\n').slice(0, 3).join(),
        bare.stderr.split('\n').slice(0, 3).join(),
      );
    }),
  );
});
