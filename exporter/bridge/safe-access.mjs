import { types } from 'node:util';

import { ID_LENGTH } from './limits.mjs';

const ZONED_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

/** Seconds since the Unix epoch. */
export const now = () => Date.now() / 1000;

export const isObject = (value) => value !== null && typeof value === 'object';

/** The value of an own data property. Runs none of the bot's code: no getter, no proxy trap. */
export function ownValue(object, key) {
  if (!isObject(object) || types.isProxy(object)) return undefined;
  return Reflect.getOwnPropertyDescriptor(object, key)?.value;
}

/** The value of a property, or undefined where it is missing or its getter throws. */
export function safeGet(object, key) {
  try {
    return object?.[key];
  } catch {
    return undefined;
  }
}

/** Array.isArray throws for a revoked proxy. */
export function isArray(value) {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/** The label of an agent, given as its id or as the agent itself. */
export function agentId(value) {
  const id = isObject(value) ? (safeGet(value, 'agentId') ?? safeGet(value, 'id')) : value;
  if (typeof id === 'number') return String(id);
  if (typeof id !== 'string' || id === '') return 'unknown';
  return id.length > ID_LENGTH ? 'other' : id.toWellFormed();
}

/**
 * Converts values of unknown types. Null and undefined are absent; any other value of the wrong type is absent, too,
 * and counted as malformed.
 */
export class ValueReader {
  malformed = 0;

  get(object, key) {
    try {
      return object?.[key] ?? undefined;
    } catch {
      this.malformed += 1;
      return undefined;
    }
  }

  number(value) {
    return this.#usable(value, Number.isFinite(value));
  }

  count(value) {
    return this.#usable(value, Number.isSafeInteger(value) && value >= 0);
  }

  flag(value) {
    return this.#usable(value, typeof value === 'boolean');
  }

  length(value) {
    return this.#usable(value, isArray(value)) && this.get(value, 'length');
  }

  /** Seconds since the epoch, from a Date, a zoned ISO 8601 string, seconds or milliseconds. */
  moment(value) {
    const seconds = toSeconds(value);
    return this.#usable(value, seconds >= 1e9 && seconds < 1e11) && seconds;
  }

  #usable(value, usable) {
    if (value === undefined || value === null) return undefined;
    if (usable) return value;
    this.malformed += 1;
    return undefined;
  }
}

function toSeconds(value) {
  if (types.isDate(value)) return Date.prototype.getTime.call(value) / 1000;
  if (typeof value === 'string' && ZONED_TIME.test(value)) return Date.parse(value) / 1000;
  if (typeof value !== 'number') return NaN;
  return value < 1e11 ? value : value / 1000;
}
