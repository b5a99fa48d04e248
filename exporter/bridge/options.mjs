import { readFileSync } from 'node:fs';
import path from 'node:path';

import { PROCESS_NAME_LENGTH } from './limits.mjs';
import { logOnce } from './log.mjs';

export const DEFAULTS = {
  host: '127.0.0.1',
  port: 9465,
  intervalSeconds: 30,
  timeLimitSeconds: 5,
  actionTimeLimitSeconds: 60,
};

const ENVIRONMENT = {
  host: 'TWEETBOT_BRIDGE_HOST',
  port: 'TWEETBOT_BRIDGE_PORT',
  socketDirectory: 'TWEETBOT_BRIDGE_SOCKET_DIRECTORY',
  processName: 'TWEETBOT_BRIDGE_PROCESS_NAME',
  token: 'TWEETBOT_BRIDGE_TOKEN',
  tokenFile: 'TWEETBOT_BRIDGE_TOKEN_FILE',
  intervalSeconds: 'TWEETBOT_BRIDGE_INTERVAL_SECONDS',
  timeLimitSeconds: 'TWEETBOT_BRIDGE_TIME_LIMIT_SECONDS',
  negotiations: 'TWEETBOT_BRIDGE_NEGOTIATIONS',
  allowActions: 'TWEETBOT_BRIDGE_ALLOW_ACTIONS',
  actionsToken: 'TWEETBOT_BRIDGE_ACTIONS_TOKEN',
  actionsTokenFile: 'TWEETBOT_BRIDGE_ACTIONS_TOKEN_FILE',
  actionTimeLimitSeconds: 'TWEETBOT_BRIDGE_ACTION_TIME_LIMIT_SECONDS',
};

/** Actions that can be allowed. Undoing needs no permission of its own: restore always, resume with pause. */
const ACTIONS = ['execute_adaptation', 'adjust_autonomy', 'pause', 'resume'];

/**
 * Merges options, environment and defaults, in this order of precedence. Throws an Error for an invalid option: a
 * bridge that cannot read its token must not serve without one. An invalid option for actions only disables them, and
 * is logged.
 */
export function readOptions(given = {}, environment = process.env) {
  for (const name of Object.keys(given)) {
    if (!(name in ENVIRONMENT)) throw new Error(`there is no option ${JSON.stringify(name)}`);
  }
  const value = (name) => given[name] ?? (environment[ENVIRONMENT[name]] || undefined) ?? DEFAULTS[name];
  const options = {
    host: text('host', value('host')),
    port: within('port', value('port'), 0, 65535),
    socketDirectory: optionalText('socketDirectory', value('socketDirectory')),
    processName: readProcessName(value('processName') ?? defaultProcessName()),
    intervalSeconds: within('intervalSeconds', value('intervalSeconds'), 0, 86400),
    timeLimitSeconds: within('timeLimitSeconds', value('timeLimitSeconds'), 0.01, 3600),
    token: readToken('token', value('token'), value('tokenFile')),
    negotiations: readNegotiations(value('negotiations')),
  };
  if (!Number.isInteger(options.port)) throw new Error('port must be a whole number');
  if (!isLoopback(options.host) && !options.token) {
    throw new Error(`a token is required to serve on ${options.host}: set ${ENVIRONMENT.tokenFile}`);
  }
  return Object.freeze({ ...options, actions: readActions(value, options) });
}

export const isLoopback = (host) =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);

const optionalText = (name, value) => (value === undefined ? undefined : text(name, value));

/** The name of the script without its ending: `real-time-server`. */
function defaultProcessName() {
  const script = path.parse(process.argv[1] ?? '').name;
  return script.replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, PROCESS_NAME_LENGTH) || 'node';
}

/** It is part of a socket's file name, and a label. */
function readProcessName(name) {
  if (typeof name === 'string' && /^[A-Za-z0-9_-]+$/.test(name) && name.length <= PROCESS_NAME_LENGTH) return name;
  throw new Error(`processName must be 1 to ${PROCESS_NAME_LENGTH} letters, digits, _ or -`);
}

function readToken(name, token, file) {
  if (token === undefined && file === undefined) return undefined;
  const found = token === undefined ? readFileSync(file, 'utf8').trim() : text(name, token);
  if (found === '') throw new Error('the token is empty');
  return found;
}

/** Which actions are allowed, and for which token; undefined disables them. */
function readActions(value, options) {
  const [names, token, file] = ['allowActions', 'actionsToken', 'actionsTokenFile'].map(value);
  if (names === undefined && token === undefined && file === undefined) return undefined;
  try {
    const actions = {
      token: readToken('actionsToken', token, file),
      allowed: readAllowed(names),
      timeLimitSeconds: within('actionTimeLimitSeconds', value('actionTimeLimitSeconds'), 0.01, 3600),
    };
    if (!actions.token) throw new Error(`a token is required: set ${ENVIRONMENT.actionsTokenFile}`);
    if (actions.token === options.token) throw new Error('the token must differ from the one for the state');
    if (!isLoopback(options.host))
      throw new Error(`they are served on loopback only, not on ${options.host}`);
    logOnce(`actions are allowed: ${actions.allowed.join(', ')}`);
    return Object.freeze(actions);
  } catch (error) {
    logOnce(`actions are off: ${error.message}`);
    return undefined;
  }
}

function readAllowed(names) {
  const allowed = typeof names === 'string' ? names.split(',').map((name) => name.trim()) : names;
  if (Array.isArray(allowed) && allowed.length > 0 && allowed.every((name) => ACTIONS.includes(name))) {
    return Object.freeze([...allowed]);
  }
  throw new Error(`allowActions must name some of ${ACTIONS.join(', ')}`);
}

function readNegotiations(negotiations) {
  if (negotiations === undefined) return undefined;
  const {
    method,
    agent = 0,
    succeeded,
  } = typeof negotiations === 'string' ? { method: negotiations } : negotiations;
  if (typeof agent !== 'function') within('negotiations.agent', agent, 0, 100);
  if (succeeded !== undefined && typeof succeeded !== 'function') {
    throw new Error('negotiations.succeeded must be a function');
  }
  return { method: text('negotiations.method', method), agent, succeeded };
}

function text(name, value) {
  if (typeof value !== 'string' || value === '') throw new Error(`${name} must be a non-empty string`);
  return value;
}

function within(name, value, least, most) {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number === 'number' && number >= least && number <= most) return number;
  throw new Error(`${name} must be a number from ${least} to ${most}`);
}
