import { types } from 'node:util';

import { REPORT_DEPTH, REPORT_KEYS_READ, REPORT_KEY_LENGTH, REPORT_VALUES } from './limits.mjs';
import { isObject, own } from './safe.mjs';

const REPORTED = [
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

/** What evaluateGoalProgress() answers: a number, or a tree of which the numbers are taken. */
export function goalProgress(answer) {
  if (Number.isFinite(answer)) return { overall: answer };
  const progress = {
    primary: goal(own(answer, 'primary')),
    secondary: goal(own(answer, 'secondary')),
    tactical: goal(own(answer, 'tactical')),
    overall: goal(own(answer, 'overallProgress') ?? own(answer, 'overall')),
  };
  return Object.values(progress).some((value) => value !== undefined) ? progress : undefined;
}

function goal(value) {
  const number = isObject(value) ? (own(value, 'overallProgress') ?? own(value, 'progress')) : value;
  return Number.isFinite(number) ? number : undefined;
}

/** What getPerformanceMetrics() answers, cut down to its numbers; undefined where it is no object with keys. */
export function selfReport(answer) {
  return isTree(answer) ? new Digest(answer) : undefined;
}

/** A tree's numbers, within the bounds on their number, their names' length, the depth and the keys looked at. */
class Digest {
  values = 0;
  leftOut = 0;
  #keysLeft = REPORT_KEYS_READ;

  constructor(answer) {
    const known = REPORTED.filter((key) => Number.isFinite(own(answer, key)));
    this.report = this.#numbers(answer, new Set([...known, ...keysOf(answer)]), 1);
  }

  #numbers(tree, keys, depth) {
    const found = Object.create(null);
    for (const key of keys) {
      if (this.#keysLeft === 0) break;
      this.#keysLeft -= 1;
      const value = own(tree, key);
      if (Number.isFinite(value)) this.#keep(found, key, value);
      else if (isTree(value)) this.#nest(found, key, value, depth + 1);
    }
    return found;
  }

  #keep(found, key, value) {
    if (this.values < REPORT_VALUES && isName(key)) {
      found[key] = value;
      this.values += 1;
    } else {
      this.leftOut += 1;
    }
  }

  #nest(found, key, tree, depth) {
    if (depth > REPORT_DEPTH || !isName(key)) return;
    const inner = this.#numbers(tree, keysOf(tree), depth);
    if (Object.keys(inner).length > 0) found[key] = inner;
  }
}

const keysOf = (tree) => Object.keys(tree).slice(0, REPORT_KEYS_READ);

const isName = (key) => key.length > 0 && key.length <= REPORT_KEY_LENGTH && key.isWellFormed();

const isTree = (value) =>
  isObject(value) && !types.isProxy(value) && !Array.isArray(value) && !ArrayBuffer.isView(value);
