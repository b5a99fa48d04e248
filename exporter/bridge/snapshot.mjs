import { types } from 'node:util';

import { GOAL_DEPTH, GOAL_KEY_LENGTH, GOAL_TEXT_LENGTH, GOAL_VALUES } from './limits.mjs';
import { isArray, isObject, ownValue } from './safe-access.mjs';

/** No value. */
export const ABSENT = Symbol('absent');
/** A value that is not plain: it cannot be expressed in JSON, nor restored. */
export const OPAQUE = Symbol('other');
/** Outside the bounds of a snapshot: there may be a value or not. */
const UNKNOWN = Symbol('unknown');

/**
 * Plain values by their path, at one moment. Only own data of objects, arrays and Maps is read: no getter, no proxy
 * trap and no method of the bot runs.
 */
export class Snapshot {
  #values = new Map();
  #budget = GOAL_VALUES;
  #complete = true;

  set(path, value) {
    this.#values.set(path, value);
  }

  /** Records the value at a key and everything below it, within the bounds. */
  walk(holder, key, path = key, depth = 0) {
    if (!has(holder, key)) return;
    this.set(path, valueAt(holder, key));
    if (depth === GOAL_DEPTH) return;
    const value = peek(holder, key);
    for (const inner of keysOf(value)) {
      if (this.#budget === 0) {
        this.#complete = false;
        return;
      }
      this.#budget -= 1;
      if (isName(inner)) this.walk(value, inner, `${path}.${inner}`, depth + 1);
    }
  }

  /** The changes from this snapshot to a later one: a list of { path, from, to }. */
  diff(later) {
    const paths = new Set([...this.#values.keys(), ...later.#values.keys()]);
    return [...paths]
      .map((path) => ({ path, from: this.#at(path), to: later.#at(path) }))
      .filter(({ from, to }) => from !== to && from !== UNKNOWN && to !== UNKNOWN);
  }

  #at(path) {
    if (this.#values.has(path)) return this.#values.get(path);
    return this.#complete ? ABSENT : UNKNOWN;
  }
}

/** Resolves a path below an object to [holder, key]. */
export function resolvePath(root, path) {
  const keys = path.split('.');
  const key = keys.pop();
  return [keys.reduce(peek, root), key];
}

export function valueAt(holder, key) {
  return has(holder, key) ? toPlain(peek(holder, key)) : ABSENT;
}

/** The value if JSON can express it, else OPAQUE. */
export const toPlain = (value) => (isPlain(value) ? value : OPAQUE);

function isPlain(value) {
  if (typeof value === 'string') return value.length <= GOAL_TEXT_LENGTH && value.isWellFormed();
  return value === null || typeof value === 'boolean' || Number.isFinite(value);
}

/** Sets a plain value, or removes it for ABSENT, where the holder allows that; read it back to see if it did. */
export function setValue(holder, key, value) {
  if (types.isMap(holder)) setInMap(holder, key, value);
  else if (!isOpen(holder)) return;
  else if (value === ABSENT) remove(holder, key);
  else if (isWritable(holder, key))
    Reflect.defineProperty(holder, key, { ...propertyOf(holder, key), value });
}

function setInMap(map, key, value) {
  if (value === ABSENT) Map.prototype.delete.call(map, key);
  else Map.prototype.set.call(map, key, value);
}

/** An array element is removed only at the end: elsewhere it would leave a hole. */
function remove(holder, key) {
  const index = Number(key);
  if (!isArray(holder)) Reflect.deleteProperty(holder, key);
  else if (index === holder.length - 1) Reflect.defineProperty(holder, 'length', { value: index });
}

const NEW_PROPERTY = { writable: true, enumerable: true, configurable: true };
const propertyOf = (holder, key) => Reflect.getOwnPropertyDescriptor(holder, key) ?? NEW_PROPERTY;

/** Whether the key is, or would become, a writable own data property. */
export const isWritable = (holder, key) => isOpen(holder) && propertyOf(holder, key).writable === true;

function has(holder, key) {
  if (types.isMap(holder)) return Map.prototype.has.call(holder, key);
  return isOpen(holder) && Reflect.getOwnPropertyDescriptor(holder, key) !== undefined;
}

function peek(holder, key) {
  return types.isMap(holder) ? Map.prototype.get.call(holder, key) : ownValue(holder, key);
}

function keysOf(value) {
  if (types.isMap(value)) return Map.prototype.keys.call(value);
  if (!isOpen(value)) return [];
  return isArray(value) ? indexes(value) : Object.keys(value);
}

function* indexes(array) {
  for (let index = 0; index < array.length; index += 1) yield String(index);
}

const isOpen = (value) => isObject(value) && !types.isProxy(value) && !ArrayBuffer.isView(value);

const isName = (key) =>
  typeof key === 'string' &&
  key.length > 0 &&
  key.length <= GOAL_KEY_LENGTH &&
  key.isWellFormed() &&
  !key.includes('.');
