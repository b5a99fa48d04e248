import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DEFAULTS, isLoopback, readOptions } from '../../exporter/bridge/options.mjs';
import { BRIDGE, folder, run } from './support.mjs';

const actionsOf = (given, environment = {}) => readOptions(given, environment).actions;

test('without anything, the defaults', () => {
  const { actionTimeLimitSeconds, ...defaults } = DEFAULTS;
  assert.deepEqual(readOptions({}, {}), {
    ...defaults,
    token: undefined,
    socketDirectory: undefined,
    processName: 'options-test',
    negotiations: undefined,
    actions: undefined,
  });
  assert.equal(
    actionsOf({ allowActions: 'pause', actionsToken: 'key' }).timeLimitSeconds,
    actionTimeLimitSeconds,
  );
});

test('options before environment, and an empty variable is none', () => {
  const environment = {
    TWEETBOT_BRIDGE_PORT: '9999',
    TWEETBOT_BRIDGE_INTERVAL_SECONDS: '10',
    TWEETBOT_BRIDGE_HOST: '',
    TWEETBOT_BRIDGE_NEGOTIATIONS: 'resolver.negotiate',
    TWEETBOT_BRIDGE_TOKEN: 'secret',
    TWEETBOT_BRIDGE_TIME_LIMIT_SECONDS: '2',
    TWEETBOT_BRIDGE_SOCKET_DIRECTORY: '/run/bot',
    TWEETBOT_BRIDGE_PROCESS_NAME: 'hunter_1',
  };
  assert.deepEqual(readOptions({ port: 1234 }, environment), {
    host: '127.0.0.1',
    port: 1234,
    intervalSeconds: 10,
    timeLimitSeconds: 2,
    token: 'secret',
    socketDirectory: '/run/bot',
    processName: 'hunter_1',
    negotiations: { method: 'resolver.negotiate', agent: 0, succeeded: undefined },
    actions: undefined,
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
    assert.throws(() => readOptions({ host }, {}), /token is required/);
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
    [{ processName: 'a.b' }, /processName must be/],
    [{ processName: 'x'.repeat(41) }, /processName must be/],
    [{ socketDirectory: 5 }, /socketDirectory must be/],
    [{ token: '' }, /token must be/],
    [{ negotiations: {} }, /method must be/],
    [{ negotiations: { method: 'x', agent: 'y' } }, /agent must be/],
    [{ negotiations: { method: 'x', succeeded: true } }, /succeeded must be/],
  ];
  for (const [given, message] of wrong) assert.throws(() => readOptions(given, {}), message);
});

test('actions, from both places', (context) => {
  const tokenFile = `${folder(context, { token: 'key\n' })}/token`;
  const environment = {
    TWEETBOT_BRIDGE_ALLOW_ACTIONS: 'adjust_autonomy, pause',
    TWEETBOT_BRIDGE_ACTIONS_TOKEN_FILE: tokenFile,
    TWEETBOT_BRIDGE_ACTION_TIME_LIMIT_SECONDS: '7',
  };
  const actions = { token: 'key', allowed: ['adjust_autonomy', 'pause'], timeLimitSeconds: 7 };
  assert.deepEqual(actionsOf({}, environment), actions);
  assert.deepEqual(actionsOf({ token: 'state' }, environment), actions);
  const all = ['execute_adaptation', 'adjust_autonomy', 'pause', 'resume'];
  assert.deepEqual(actionsOf({ allowActions: all, actionsToken: 'x' }, environment).allowed, all);
});

test('what is wrong with the actions costs only them, and is said once', async (context) => {
  const given = { allowActions: ['pause'], actionsToken: 'key' };
  const wrong = [
    [{ allowActions: ['pause'] }, /a token is required/],
    [{ actionsToken: 'key' }, /must name some/],
    [{ ...given, allowActions: ['pause', 'sell'] }, /must name some/],
    [{ ...given, allowActions: 'pause,' }, /must name some/],
    [{ ...given, allowActions: 'restore' }, /must name some/],
    [{ ...given, allowActions: [undefined] }, /must name some/],
    [{ ...given, allowActions: [] }, /must name some/],
    [{ ...given, allowActions: true }, /must name some/],
    [{ ...given, actionsToken: 5 }, /actionsToken must be/],
    [{ ...given, token: 'key' }, /token must differ/],
    [{ ...given, host: '0.0.0.0', token: 'state' }, /on loopback only/],
    [{ ...given, actionTimeLimitSeconds: 0 }, /actionTimeLimitSeconds must be/],
    [{ allowActions: ['pause'], actionsTokenFile: '/nowhere' }, /ENOENT/],
  ];
  const script = `
    import { readOptions } from '${BRIDGE}options.mjs';
    const given = ${JSON.stringify(wrong.map(([each]) => each))};
    given[5].allowActions = [undefined];
    for (const each of [...given, ...given]) console.log(readOptions(each, {}).port, readOptions(each, {}).actions);`;
  const file = `${folder(context, { 'read.mjs': script })}/read.mjs`;
  const { stdout, stderr } = await run([file]);
  assert.equal(stdout, '9465 undefined\n'.repeat(2 * wrong.length));
  const lines = stderr.trim().split('\n');
  for (const [, message] of wrong)
    assert.ok(
      lines.some((line) => message.test(line)),
      `${message}: ${stderr}`,
    );
  assert.ok(lines.every((line) => line.startsWith('tweetbot-bridge: actions are off: ')));
  assert.equal(new Set(lines).size, lines.length);
  assert.ok(!stderr.includes('key'));
});
