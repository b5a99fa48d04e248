import assert from 'node:assert/strict';
import { test } from 'node:test';
import { types } from 'node:util';

import { MethodWrapper, mimicFunction, wrapFunction } from '../../exporter/bridge/wrap.mjs';
import { BRIDGE, folder, run } from './support.mjs';

/** A wrapped function, and the log of its calls. */
function wrapLogged(original) {
  const log = [];
  const wrapped = wrapFunction(original, (args) => {
    log.push(['begin', ...args]);
    return (succeeded) => log.push([succeeded ? 'succeeded' : 'failed']);
  });
  return { wrapped, log };
}

const error = new Error('mine');

test('a sync function returns and throws the same', () => {
  const value = {};
  const good = wrapLogged(() => value);
  assert.equal(good.wrapped(1, 2), value);
  assert.deepEqual(good.log, [['begin', 1, 2], ['succeeded']]);
  const bad = wrapLogged(() => {
    throw error;
  });
  assert.throws(
    () => bad.wrapped(),
    (thrown) => thrown === error,
  );
  assert.deepEqual(bad.log, [['begin'], ['failed']]);
});

test('an async function resolves and rejects the same, and stays async', async () => {
  const value = {};
  const good = wrapLogged(async () => value);
  assert.ok(types.isAsyncFunction(good.wrapped));
  assert.equal(await good.wrapped(), value);
  assert.deepEqual(good.log, [['begin'], ['succeeded']]);
  const bad = wrapLogged(async () => {
    throw error;
  });
  await assert.rejects(bad.wrapped(), (thrown) => thrown === error);
  assert.deepEqual(bad.log, [['begin'], ['failed']]);
});

test('a promise that the function may share is returned itself', async () => {
  const shared = Promise.resolve(7);
  const good = wrapLogged(() => shared);
  assert.equal(good.wrapped(), shared);
  assert.deepEqual(good.log, [['begin']]);
  await shared;
  assert.deepEqual(good.log, [['begin'], ['succeeded']]);
  const rejected = Promise.reject(error);
  const bad = wrapLogged(() => rejected);
  assert.equal(bad.wrapped(), rejected);
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
    const { wrapped, log } = wrapLogged(() => value);
    assert.ok(Object.is(wrapped(), value));
    await null;
    assert.deepEqual(log, [['begin']]);
  }
  assert.equal(calls, 0);
});

test('generators stay generators', async () => {
  const sync = wrapLogged(function* () {
    yield 1;
  });
  assert.deepEqual([...sync.wrapped()], [1]);
  const slow = wrapLogged(async function* () {
    yield 1;
  });
  for await (const value of slow.wrapped()) assert.equal(value, 1);
});

test('what stands for an async function is wrapped like one', () => {
  const original = async () => {};
  const { wrapped } = wrapLogged(mimicFunction(() => original(), original));
  assert.ok(types.isAsyncFunction(wrapped));
});

test('this, name, length and own properties are kept', () => {
  const original = Object.assign(
    function sendMessage(_from, _to) {
      return this;
    },
    { retries: 3 },
  );
  const { wrapped } = wrapLogged(original);
  const self = {};
  assert.equal(wrapped.call(self), self);
  assert.deepEqual([wrapped.name, wrapped.length, wrapped.retries], ['sendMessage', 2, 3]);
});

test('what goes wrong in counting stays there', async () => {
  const fail = () => {
    throw new Error('counting');
  };
  for (const begin of [fail, () => fail, () => undefined]) {
    assert.equal(wrapFunction(() => 1, begin)(), 1);
    assert.equal(await wrapFunction(async () => 2, begin)(), 2);
    assert.equal(await wrapFunction(() => Promise.resolve(3), begin)(), 3);
  }
});

test('a method is wrapped on the object, invisibly, and given back', () => {
  class Channel {
    sendMessage() {
      return this;
    }
  }
  const channel = new Channel();
  const wrapper = new MethodWrapper(() => () => {});
  wrapper.wrap(channel, 'sendMessage');
  assert.ok(wrapper.isActive);
  assert.notEqual(channel.sendMessage, Channel.prototype.sendMessage);
  assert.equal(channel.sendMessage(), channel);
  assert.deepEqual(Object.keys(channel), []);
  wrapper.unwrap();
  assert.deepEqual(Reflect.ownKeys(channel), []);
});

test('the bot may replace the method, and keeps its own', () => {
  const channel = { sendMessage: () => 1 };
  const wrapper = new MethodWrapper(() => () => {});
  wrapper.wrap(channel, 'sendMessage');
  const mine = () => 2;
  channel.sendMessage = mine;
  wrapper.wrap(channel, 'sendMessage');
  wrapper.unwrap();
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
    const wrapper = new MethodWrapper(() => () => {});
    wrapper.wrap(object, 'sendMessage');
    assert.ok(!wrapper.isActive);
    wrapper.unwrap();
  }
  assert.equal(frozen.sendMessage(), 1);
});

const REJECTING = `
  import { MethodWrapper } from 'BRIDGE/wrap.mjs';
  const channel = { FUNCTION };
  if (process.argv[2] === 'wrapped') new MethodWrapper(() => () => {}).wrap(channel, 'sendMessage');
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
      const [bare, wrapped] = await Promise.all([run([file]), run([file, 'wrapped'])]);
      assert.deepEqual([wrapped.code, wrapped.stdout], [bare.code, bare.stdout], `case ${index}`);
      assert.equal(bare.code, call.startsWith('try') ? 0 : 1);
      assert.equal(wrapped.stderr.split('\n').slice(0, 3).join(), bare.stderr.split('\n').slice(0, 3).join());
    }),
  );
});
