import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DEFAULTS, isLoopback, readOptions } from '../../exporter/bridge/options.mjs';
import { folder } from './support.mjs';

test('without anything, the defaults', () => {
  assert.deepEqual(readOptions({}, {}), { ...DEFAULTS, token: undefined, negotiations: undefined });
});

test('options before environment, and an empty variable is none', () => {
  const environment = {
    TWEETBOT_BRIDGE_PORT: '9999',
    TWEETBOT_BRIDGE_INTERVAL_SECONDS: '10',
    TWEETBOT_BRIDGE_HOST: '',
    TWEETBOT_BRIDGE_NEGOTIATIONS: 'resolver.negotiate',
    TWEETBOT_BRIDGE_TOKEN: 'secret',
    TWEETBOT_BRIDGE_TIME_LIMIT_SECONDS: '2',
  };
  assert.deepEqual(readOptions({ port: 1234 }, environment), {
    host: '127.0.0.1',
    port: 1234,
    intervalSeconds: 10,
    timeLimitSeconds: 2,
    token: 'secret',
    negotiations: { method: 'resolver.negotiate', agent: 0, succeeded: undefined },
  });
});

test('a token from a file', (context) => {
  const directory = folder(context, { token: ' secret\n', empty: '\n' });
  const from = (name) => readOptions({ tokenFile: `${directory}/${name}` }, {});
  assert.equal(from('token').token, 'secret');
  assert.throws(() => from('empty'), /empty/);
  assert.throws(() => from('missing'), /ENOENT/);
});

test('beyond loopback only with a token', () => {
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', 'localhost']) assert.ok(isLoopback(host));
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'bot', '127.example.org']) {
    assert.throws(() => readOptions({ host }, {}), /token is needed/);
    assert.equal(readOptions({ host, token: 'secret' }, {}).host, host);
  }
});

test('what is wrong is said', () => {
  const wrong = [
    [{ prot: 1 }, /no option "prot"/],
    [{ port: 70000 }, /port must be/],
    [{ port: 'x' }, /port must be/],
    [{ port: 1.5 }, /whole/],
    [{ intervalSeconds: -1 }, /intervalSeconds/],
    [{ timeLimitSeconds: 0 }, /timeLimit/],
    [{ host: 5 }, /host must be/],
    [{ token: '' }, /token must be/],
    [{ negotiations: {} }, /method must be/],
    [{ negotiations: { method: 'x', agent: 'y' } }, /agent must be/],
    [{ negotiations: { method: 'x', succeeded: true } }, /succeeded must be/],
  ];
  for (const [given, message] of wrong) assert.throws(() => readOptions(given, {}), message);
});
