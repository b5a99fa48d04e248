import { ID_LENGTH } from './limits.mjs';
import { isObject } from './safe.mjs';

const ADAPTATIONS = ['GOAL_ADAPTATION', 'STRATEGY_ADJUSTMENT', 'INCREASE_AUTONOMY'];
const DIRECTIONS = ['lower', 'raise'];
const SHOWN = 64;

/** What each action's request has beside the four keys that all have. */
const KEYS = {
  execute_adaptation: ['agent', 'adaptations'],
  adjust_autonomy: ['agent', 'direction'],
  pause: [],
  resume: [],
  restore: ['restores'],
};

const ACTION_ID = [
  (value) => typeof value === 'string' && /^[A-Za-z0-9_-]{1,80}$/.test(value),
  'a text of 1 to 80 letters, digits, _ or -',
];
const VALUES = {
  version: [(value) => value === 1, '1'],
  id: ACTION_ID,
  botStart: [(value) => Number.isFinite(value) && value >= 0, "the bot's process.startTime"],
  action: [(value) => Object.keys(KEYS).includes(value), `one of ${Object.keys(KEYS).join(', ')}`],
  agent: [
    (value) => typeof value === 'string' && value !== '' && value.length <= ID_LENGTH,
    `a text of 1 to ${ID_LENGTH} characters`,
  ],
  adaptations: [isAdaptations, `a list of different ones of ${ADAPTATIONS.join(', ')}`],
  direction: [(value) => DIRECTIONS.includes(value), `one of ${DIRECTIONS.join(', ')}`],
  restores: ACTION_ID,
};

/** The request in a body, its keys in this order; throws an Error that says what is wrong with it. */
export function readRequest(bytes) {
  const given = parse(bytes);
  const keys = ['version', 'id', 'botStart', 'action', ...KEYS[check(given, 'action')]];
  const unknown = Object.keys(given).find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    throw new Error(`${given.action} has no key ${JSON.stringify(unknown.slice(0, SHOWN))}`);
  }
  return Object.fromEntries(keys.map((key) => [key, check(given, key)]));
}

function parse(bytes) {
  let given;
  try {
    given = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Error('the body is no JSON in UTF-8');
  }
  if (!isObject(given) || Array.isArray(given)) throw new Error('the body is no object');
  return given;
}

function check(given, key) {
  if (!Object.hasOwn(given, key)) throw new Error(`${key} is missing`);
  const [isRight, what] = VALUES[key];
  if (!isRight(given[key])) throw new Error(`${key} must be ${what}`);
  return given[key];
}

function isAdaptations(value) {
  if (!Array.isArray(value) || value.length === 0 || new Set(value).size !== value.length) return false;
  return value.every((each) => ADAPTATIONS.includes(each));
}
