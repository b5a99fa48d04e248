import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';

import { readOptions } from '../../exporter/bridge/options.mjs';
import { BridgeServer } from '../../exporter/bridge/server.mjs';
import { BRIDGE, folder, request, run, sleep, start, until } from './support.mjs';

const SMALL = Buffer.from('{"version":1}');

const HOUR = 3_600_000; // a connection that is cut off although requests may take that long is not cut off by time

async function serving(context, options = {}, renderState = () => SMALL, timeouts = { request: HOUR }) {
  const server = new BridgeServer(readOptions({ port: 0, ...options }, {}), { renderState }, timeouts);
  server.start();
  context.after(() => server.stop());
  await until(() => server.address(), 'the server');
  return server.address().port;
}

/** Connects and sends a text; `gone` is fulfilled when the server has closed the connection. */
function connect(port, text = '') {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
  socket.on('error', () => {});
  socket.gone = new Promise((resolve) => socket.on('close', () => resolve(true)));
  return socket.resume();
}

describe('server', { concurrency: true }, () => {
  test('GET /state, and nothing else', async (context) => {
    const port = await serving(context);
    const answer = await request(port);
    assert.deepEqual([answer.status, answer.body], [200, '{"version":1}']);
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.equal((await request(port, { path: '/state?x=1' })).status, 200);
    for (const path of ['/', '/state/', '/STATE', '/metrics', '/../state']) {
      assert.equal((await request(port, { path })).status, 404);
    }
    for (const method of ['POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const refused = await request(port, { method });
      assert.deepEqual([refused.status, refused.headers.allow, refused.body], [405, 'GET', '']);
    }
  });

  test('on a socket, for its owner', async (context) => {
    const directory = folder(context);
    const options = { socketDirectory: directory, processName: 'hunter' };
    const server = new BridgeServer(readOptions(options, {}), { renderState: () => SMALL });
    server.start();
    await until(() => server.address(), 'the server');
    const socketPath = path.join(directory, 'hunter.sock');
    assert.equal(statSync(socketPath).mode & 0o777, 0o600);
    const ask = { socketPath, path: '/state', headers: { host: 'anything' } };
    const status = await new Promise((resolve) =>
      http.get(ask, (response) => response.resume().on('end', () => resolve(response.statusCode))),
    );
    assert.equal(status, 200);
    server.stop();
    await until(() => !existsSync(socketPath), 'its removal');
  });

  test('a socket that a killed process left is replaced, one that is served is not', async (context) => {
    const directory = folder(context);
    const source = `
      import { BridgeServer } from '${BRIDGE}server.mjs';
      import { readOptions } from '${BRIDGE}options.mjs';
      const options = readOptions({ socketDirectory: '${directory}', processName: 'hunter' }, {});
      const server = new BridgeServer(options, { renderState: () => Buffer.from(String(process.pid)) });
      server.start();
      setInterval(() => server.address() && console.log('served'), 20);
      process.on('SIGTERM', () => process.exit());`;
    const begin = () => {
      const bot = start(['--input-type=module', '--eval', source]);
      context.after(() => bot.child.kill('SIGKILL'));
      return bot;
    };
    const served = (bot) => until(() => bot.output.stdout.includes('served'), 'the socket');
    const killed = begin();
    await served(killed);
    killed.child.kill('SIGKILL');
    await killed.outcome;
    assert.deepEqual(readdirSync(directory), ['hunter.sock']);
    const next = begin();
    await served(next);
    const late = begin();
    await until(() => late.output.stderr, 'its line');
    assert.match(late.output.stderr, /cannot listen on .*hunter\.sock \(EADDRINUSE\)/);
    assert.equal(late.output.stdout, '');
    late.child.kill('SIGKILL');
    next.child.kill('SIGTERM');
    assert.equal((await next.outcome).stderr, '');
    assert.deepEqual(readdirSync(directory), []);
  });

  test('with a token, only to those who have it', async (context) => {
    const port = await serving(context, { token: 'secret' });
    const status = async (authorization, more) =>
      (await request(port, { headers: authorization ? { authorization } : {}, ...more })).status;
    for (const wrong of [
      undefined,
      '',
      'secret',
      'Bearer',
      'Bearer secret2',
      'Bearer Secret',
      'Basic secret',
    ]) {
      assert.equal(await status(wrong), 401);
    }
    assert.equal(await status(undefined, { path: '/none' }), 401);
    assert.equal(await status('Bearer secret'), 200);
    assert.equal(await status('Bearer secret', { path: '/none' }), 404);
  });

  test('without a token, only under a local name', async (context) => {
    const port = await serving(context);
    for (const host of [`127.0.0.1:${port}`, 'localhost', '[::1]:9465', 'LOCALHOST:1']) {
      assert.equal((await request(port, { headers: { host } })).status, 200);
    }
    for (const host of ['example.org', '127.0.0.1.example.org', 'localhost.example.org:9465', '10.0.0.1']) {
      assert.equal((await request(port, { headers: { host } })).status, 421);
    }
    const behindToken = await serving(context, { token: 'secret' });
    const headers = { host: 'bot', authorization: 'Bearer secret' };
    assert.equal((await request(behindToken, { headers })).status, 200);
  });

  test('a document that cannot be built costs that request', async (context) => {
    let fail = true;
    const port = await serving(context, {}, () => {
      if (fail) throw new Error('body');
      return SMALL;
    });
    await assert.rejects(request(port));
    fail = false;
    assert.equal((await request(port)).status, 200);
  });

  test('what is not HTTP is cut off', async (context) => {
    const port = await serving(context);
    for (const text of [
      '\0\0\0\0\r\n\r\n',
      'GET /state\r\n\r\n',
      `GET /state HTTP/1.1\r\nx: ${'y'.repeat(20000)}\r\n\r\n`,
    ]) {
      await connect(port, text).gone;
    }
    assert.equal((await request(port)).status, 200);
  });

  test('clients that are silent, slow, or stop reading are cut off', async (context) => {
    const large = () => Buffer.alloc(32 * 1024 * 1024, ' ');
    const port = await serving(context, {}, large, { request: 500 });
    const ask = 'GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const silent = connect(port);
    const half = connect(port, 'GET /state HTTP/1.1\r\nHost: loc');
    const deaf = connect(port, ask).pause();
    const trickling = connect(port, ask).pause();
    const trickle = setInterval(() => trickling.read(1), 200);
    const uploading = connect(
      port,
      'POST /state HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n',
    );
    const upload = setInterval(() => uploading.write('x'), 200);
    context.after(() => [trickle, upload].forEach(clearInterval));
    for (const socket of [silent, half, uploading]) await socket.gone;
    for (const socket of [deaf, trickling]) {
      socket.resume();
      await socket.gone;
      assert.ok(socket.bytesRead < 32 * 1024 * 1024, 'it got all');
    }
  });

  test('clients that are silent or slow have their time', async (context) => {
    const port = await serving(context);
    const half = 'GET /state HTTP/1.1\r\nHost: loc';
    const sockets = ['', half].map((text) => connect(port, text));
    context.after(() => sockets.forEach((socket) => socket.destroy()));
    const gone = Promise.race(sockets.map((socket) => socket.gone));
    assert.equal(await Promise.race([gone, sleep(2500)]), undefined);
  });

  test('no more than a few clients at once', async (context) => {
    const port = await serving(context);
    const sockets = Array.from({ length: 40 }, () => connect(port));
    context.after(() => sockets.forEach((socket) => socket.destroy()));
    let open = 40;
    sockets.forEach((socket) => socket.gone.then(() => (open -= 1)));
    await until(() => open <= 16, 'the others to be refused');
    assert.equal(open, 16);
    sockets.forEach((socket) => socket.destroy());
    await until(async () => (await request(port).catch(() => ({}))).status === 200, 'room');
  });

  test('too many requests a second are delayed', async (context) => {
    const port = await serving(context);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    context.after(() => agent.destroy());
    const start = performance.now();
    const answers = await Promise.all(Array.from({ length: 500 }, () => request(port, { agent })));
    const seconds = (performance.now() - start) / 1000;
    assert.ok(answers.every(({ status }) => status === 200));
    assert.ok(seconds > 1.5, `${seconds} s`);
  });

  test('who has no token delays nobody who has', async (context) => {
    const port = await serving(context, { token: 'secret' });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    context.after(() => agent.destroy());
    let refused = 0;
    const flood = Array.from({ length: 500 }, async () => {
      assert.equal((await request(port, { agent })).status, 401);
      refused += 1;
    });
    await until(() => refused > 30, 'the delay to begin');
    assert.equal((await request(port, { headers: { authorization: 'Bearer secret' } })).status, 200);
    assert.ok(refused < 500);
    await Promise.all(flood);
  });

  test('a pipeline without end is cut off', async (context) => {
    const port = await serving(context);
    const socket = connect(port, 'GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(20000));
    await socket.gone;
    assert.equal((await request(port)).status, 200);
  });

  test('a process without a free descriptor lives on', async (context) => {
    const script = `
      import { closeSync, openSync } from 'node:fs';
      import { connect } from 'node:net';
      import { readOptions } from '${BRIDGE}options.mjs';
      import { BridgeServer } from '${BRIDGE}server.mjs';
      const server = new BridgeServer(readOptions({ port: 0 }, {}), { renderState: () => Buffer.from('{}') }, { retry: 20 });
      server.start();
      while (!server.address()) await new Promise((resolve) => setTimeout(resolve, 10));
      const client = connect(server.address().port, '127.0.0.1');
      client.on('error', () => {});
      const files = [];
      try { for (;;) files.push(openSync('/dev/null')); } catch (error) { console.log(error.code); }
      setTimeout(() => { files.forEach(closeSync); console.log('alive'); process.exit(0); }, 300);`;
    const file = `${folder(context, { 'full.mjs': script })}/full.mjs`;
    const { code, stdout } = await run(['-c', 'ulimit -n 64; exec "$0" "$1"', process.execPath, file], {
      command: 'sh',
    });
    assert.deepEqual([code, stdout], [0, 'EMFILE\nalive\n']);
  });

  test('listening on a port that is taken is retried', async (context) => {
    const squatter = net.createServer().listen(0, '127.0.0.1');
    await until(() => squatter.address(), 'the squatter');
    const { port } = squatter.address();
    const server = new BridgeServer(readOptions({ port }, {}), { renderState: () => SMALL }, { retry: 100 });
    context.after(() => server.stop());
    server.start();
    await sleep(250);
    assert.equal(server.address(), null);
    squatter.close();
    await until(() => server.address(), 'the port');
    assert.equal((await request(port)).status, 200);
  });
});
