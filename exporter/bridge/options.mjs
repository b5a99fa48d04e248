import { readFileSync } from 'node:fs';

export const DEFAULTS = { host: '127.0.0.1', port: 9465, intervalSeconds: 30, timeLimitSeconds: 5 };

const ENVIRONMENT = {
  host: 'TWEETBOT_BRIDGE_HOST',
  port: 'TWEETBOT_BRIDGE_PORT',
  token: 'TWEETBOT_BRIDGE_TOKEN',
  tokenFile: 'TWEETBOT_BRIDGE_TOKEN_FILE',
  intervalSeconds: 'TWEETBOT_BRIDGE_INTERVAL_SECONDS',
  timeLimitSeconds: 'TWEETBOT_BRIDGE_TIME_LIMIT_SECONDS',
  negotiations: 'TWEETBOT_BRIDGE_NEGOTIATIONS',
};

/**
 * Options over environment over defaults. Throws an Error that says what is wrong: a bridge that was asked for a token
 * it cannot have must not serve without one.
 */
export function readOptions(given = {}, environment = process.env) {
  for (const name of Object.keys(given)) {
    if (!(name in ENVIRONMENT)) throw new Error(`there is no option ${JSON.stringify(name)}`);
  }
  const value = (name) => given[name] ?? (environment[ENVIRONMENT[name]] || undefined) ?? DEFAULTS[name];
  const options = {
    host: text('host', value('host')),
    port: within('port', value('port'), 0, 65535),
    intervalSeconds: within('intervalSeconds', value('intervalSeconds'), 0, 86400),
    timeLimitSeconds: within('timeLimitSeconds', value('timeLimitSeconds'), 0.01, 3600),
    token: readToken(value('token'), value('tokenFile')),
    negotiations: readNegotiations(value('negotiations')),
  };
  if (!Number.isInteger(options.port)) throw new Error('port must be a whole number');
  if (!isLoopback(options.host) && !options.token) {
    throw new Error(`a token is needed to serve on ${options.host}: set ${ENVIRONMENT.tokenFile}`);
  }
  return Object.freeze(options);
}

export const isLoopback = (host) =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);

function readToken(token, file) {
  if (token === undefined && file === undefined) return undefined;
  const found = token === undefined ? readFileSync(file, 'utf8').trim() : text('token', token);
  if (found === '') throw new Error('the token is empty');
  return found;
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
  if (typeof value !== 'string' || value === '') throw new Error(`${name} must be a text`);
  return value;
}

function within(name, value, least, most) {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number === 'number' && number >= least && number <= most) return number;
  throw new Error(`${name} must be a number from ${least} to ${most}`);
}
