import { ID_LENGTH } from './limits.mjs';
import { isObject } from './safe-access.mjs';

const ADAPTATIONS = ['GOAL_ADAPTATION', 'STRATEGY_ADJUSTMENT', 'INCREASE_AUTONOMY'];
const DIRECTIONS = ['lower', 'raise'];
const KEY_LENGTH_SHOWN = 64;

/** Keys of each action's request, beside the four that all have, and `owner`, which all may have. */
const KEYS = {
  execute_adaptation: ['agent', 'adaptations'],
  adjust_autonomy: ['agent', 'direction'],
  pause: [],
  resume: [],
  restore: ['restores'],
  check: ['checks'],
  describe: [],
};

const ACTION_ID = [
  (value) => typeof value === 'string' && /^[A-Za-z0-9_-]{1,80}$/.test(value),
  'a string of 1 to 80 letters, digits, _ or -',
];
const VALIDATORS = {
  version: [(value) => value === 1, '1'],
  id: ACTION_ID,
  botStart: [(value) => Number.isFinite(value) && value >= 0, "the bot's process.startTime"],
  action: [(value) => Object.keys(KEYS).includes(value), `one of ${Object.keys(KEYS).join(', ')}`],
  agent: [
    (value) => typeof value === 'string' && value !== '' && value.length <= ID_LENGTH,
    `a string of 1 to ${ID_LENGTH} characters`,
  ],
  adaptations: [isAdaptations, `a list of distinct values from ${ADAPTATIONS.join(', ')}`],
  direction: [(value) => DIRECTIONS.includes(value), `one of ${DIRECTIONS.join(', ')}`],
  restores: ACTION_ID,
  checks: ACTION_ID,
  owner: ACTION_ID,
};

/**
 * Parses and validates a request body; the keys come in a fixed order. Throws an Error whose message names the fault.
 */
export function parseRequest(bytes) {
  const body = parse(bytes);
  const optional = Object.hasOwn(body, 'owner') ? ['owner'] : [];
  const keys = ['version', 'id', 'botStart', 'action', ...optional, ...KEYS[check(body, 'action')]];
  const unknown = Object.keys(body).find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    throw new Error(`${body.action} has no key ${JSON.stringify(unknown.slice(0, KEY_LENGTH_SHOWN))}`);
  }
  return Object.fromEntries(keys.map((key) => [key, check(body, key)]));
}

function parse(bytes) {
  let body;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Error('the body is not UTF-8 JSON');
  }
  if (!isObject(body) || Array.isArray(body)) throw new Error('the body is not an object');
  return body;
}

function check(body, key) {
  if (!Object.hasOwn(body, key)) throw new Error(`${key} is missing`);
  const [isValid, expected] = VALIDATORS[key];
  if (!isValid(body[key])) throw new Error(`${key} must be ${expected}`);
  return body[key];
}

function isAdaptations(value) {
  if (!Array.isArray(value) || value.length === 0 || new Set(value).size !== value.length) return false;
  return value.every((name) => ADAPTATIONS.includes(name));
}
