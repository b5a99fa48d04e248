import { types } from 'node:util';

import { REPORT_DEPTH, REPORT_KEYS_READ, REPORT_KEY_LENGTH, REPORT_VALUES } from './limits.mjs';
import { isArray, isObject, ownValue } from './safe-access.mjs';

const KNOWN_KEYS = [
  'totalDecisions',
  'decisionCount',
  'sourcesQueried',
  'signalsGenerated',
  'apiCallsUsed',
  'successRate',
  'avgConfidence',
  'avgResponseTime',
  'cacheHitRate',
];

/** Parses a result of evaluateGoalProgress(): a number, or an object with numbers. */
export function parseGoalProgress(result) {
  if (Number.isFinite(result)) return { overall: result };
  const progress = {
    primary: goalValue(ownValue(result, 'primary')),
    secondary: goalValue(ownValue(result, 'secondary')),
    tactical: goalValue(ownValue(result, 'tactical')),
    overall: goalValue(ownValue(result, 'overallProgress') ?? ownValue(result, 'overall')),
  };
  return Object.values(progress).some((value) => value !== undefined) ? progress : undefined;
}

function goalValue(value) {
  const number = isObject(value)
    ? (ownValue(value, 'overallProgress') ?? ownValue(value, 'progress'))
    : value;
  return Number.isFinite(number) ? number : undefined;
}

/** Reduces a result of getPerformanceMetrics() to its numbers; undefined unless it is an object with keys. */
export function parseSelfReport(result) {
  return isTree(result) ? new SelfReport(result) : undefined;
}

/** The numbers of a tree, within bounds on their count, the length of their names, the depth and the keys read. */
class SelfReport {
  values = 0;
  leftOut = 0;
  #keysLeft = REPORT_KEYS_READ;

  constructor(result) {
    const known = KNOWN_KEYS.filter((key) => Number.isFinite(ownValue(result, key)));
    this.report = this.#numbers(result, new Set([...known, ...keysOf(result)]), 1);
  }

  #numbers(tree, keys, depth) {
    const found = Object.create(null);
    for (const key of keys) {
      if (this.#keysLeft === 0) break;
      this.#keysLeft -= 1;
      const value = byName(ownValue(tree, key));
      if (Number.isFinite(value)) this.#addValue(found, key, value);
      else if (isTree(value)) this.#addTree(found, key, value, depth + 1);
    }
    return found;
  }

  #addValue(found, key, value) {
    if (this.values < REPORT_VALUES && isName(key)) {
      found[key] = value;
      this.values += 1;
    } else {
      this.leftOut += 1;
    }
  }

  #addTree(found, key, tree, depth) {
    if (depth > REPORT_DEPTH || !isName(key)) return;
    const inner = this.#numbers(tree, keysOf(tree), depth);
    if (Object.keys(inner).length > 0) found[key] = inner;
  }
}

/** A list of objects that have names, as a tree of them; any other value as it is. */
function byName(value) {
  if (!isArray(value) || types.isProxy(value)) return value;
  const entries = value.slice(0, REPORT_VALUES).map((entry) => [ownValue(entry, 'name'), entry]);
  const named = entries.filter(([name]) => typeof name === 'string');
  return named.length > 0 ? Object.fromEntries(named) : undefined;
}

const keysOf = (tree) => Object.keys(tree).slice(0, REPORT_KEYS_READ);

const isName = (key) => key.length > 0 && key.length <= REPORT_KEY_LENGTH && key.isWellFormed();

const isTree = (value) =>
  isObject(value) && !types.isProxy(value) && !Array.isArray(value) && !ArrayBuffer.isView(value);
