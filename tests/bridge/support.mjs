import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const BRIDGE = fileURLToPath(new URL('../../exporter/bridge/', import.meta.url));
export const REGISTER = path.join(BRIDGE, 'register.mjs');
export const SCHEMA = path.join(BRIDGE, 'state.schema.json');
export const ACTIONS_SCHEMA = path.join(BRIDGE, 'actions.schema.json');

const python = process.env.PYTHON ?? 'python3';

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** CPU milliseconds that the work takes: the least of a few rounds, which another process's load hardly changes. */
export function cpuMilliseconds(work, rounds = 5) {
  const times = Array.from({ length: rounds }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}

/** Polls until the condition is truthy. The limit only ends a test that hangs: a busy machine must not reach it. */
export async function until(condition, what, limit = 60_000) {
  for (const end = performance.now() + limit; performance.now() < end; await sleep(20)) {
    const value = await condition();
    if (value) return value;
  }
  throw new Error(`timed out waiting for ${what}`);
}

/** A directory that is removed after the test. */
export function folder(context, files = {}) {
  const directory = mkdtempSync(path.join(tmpdir(), 'bridge-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(directory, name), text);
  return directory;
}

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A request; `headers` are sent as given. */
export function request(port, { path: url = '/state', method = 'GET', headers = {}, agent, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = http.request({ host: '127.0.0.1', port, path: url, method, headers, agent }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Posts an action, with the token "actions-key" unless the headers say otherwise. */
export function post(port, body, { headers, ...more } = {}) {
  return request(port, {
    path: '/actions',
    method: 'POST',
    headers: { authorization: 'Bearer actions-key', 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...more,
  });
}

export async function state(port, options) {
  const { status, body } = await request(port, options);
  assert.equal(status, 200, body);
  return JSON.parse(body);
}

/** A state that meets the condition. The first request is delayed a little: a document is cached for a second. */
export async function stateWhen(port, condition = () => true, what = 'a state') {
  await until(() => request(port, { path: '/' }).catch(() => undefined), `port ${port}`);
  await sleep(120);
  return until(async () => {
    const document = await state(port).catch(() => undefined);
    return document && condition(document) ? document : undefined;
  }, what);
}

/** A child process; `outcome` is a promise of { code, signal, stdout, stderr }. */
export function start(args, { env = {}, cwd, command = process.execPath } = {}) {
  const child = spawn(command, args, { cwd, env: { ...process.env, NODE_OPTIONS: '', ...env } });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (data) => (output[name] += data));
  const outcome = new Promise((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, ...output })),
  );
  return { child, outcome, output };
}

export const run = (args, options) => start(args, options).outcome;

const VALIDATE = `
import json, sys
from jsonschema import Draft202012Validator
with open(sys.argv[1]) as file:
    schema = json.load(file)
if len(sys.argv) > 2:
    schema["$ref"] = "#/$defs/" + sys.argv[2]
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
errors = [next(validator.iter_errors(document), None) for document in json.load(sys.stdin)]
print(json.dumps([error and f"at {error.json_path}: {error.message[:200]}" for error in errors]))
`;

/** The first error of each document by Python's jsonschema, or null. */
export function schemaErrors(documents, schema, ...definition) {
  const { status, stdout, stderr } = spawnSync(python, ['-c', VALIDATE, schema, ...definition], {
    input: JSON.stringify(documents),
  });
  assert.equal(status, 0, `no ${python} with jsonschema (set PYTHON to one that has it): ${stderr}`);
  return JSON.parse(stdout);
}

/** Asserts that all documents are valid by the schema of the state. */
export function assertValid(...documents) {
  assert.deepEqual(
    schemaErrors(documents, SCHEMA),
    documents.map(() => null),
  );
}
