import { types } from 'node:util';

import { GOAL_DEPTH, GOAL_KEY_LENGTH, GOAL_TEXT_LENGTH, GOAL_VALUES } from './limits.mjs';
import { isArray, isObject, own } from './safe.mjs';

/** There is nothing. */
export const ABSENT = Symbol('absent');
/** There is something that is not plain, and can be neither told nor put back. */
export const OTHER = Symbol('other');
/** Beyond the bounds of a snapshot: there may be something or not. */
const UNKNOWN = Symbol('unknown');

/**
 * Plain values by their path, at one moment. Of objects, arrays and Maps their own data is read: no getter, no proxy's
 * trap and no method of the bot's runs.
 */
export class Snapshot {
  #values = new Map();
  #left = GOAL_VALUES;
  #complete = true;

  set(path, value) {
    this.#values.set(path, value);
  }

  /** The value at a key and all that is below it, within the bounds. */
  walk(holder, key, path = key, depth = 0) {
    if (!has(holder, key)) return;
    this.set(path, valueAt(holder, key));
    if (depth === GOAL_DEPTH) return;
    const value = peek(holder, key);
    for (const inner of keysOf(value)) {
      if (this.#left === 0) {
        this.#complete = false;
        return;
      }
      this.#left -= 1;
      if (isName(inner)) this.walk(value, inner, `${path}.${inner}`, depth + 1);
    }
  }

  /** What is different in a later one. */
  changesTo(later) {
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

/** Where a path below an object ends: what holds the value, and its key there. */
export function place(root, path) {
  const keys = path.split('.');
  const key = keys.pop();
  return [keys.reduce(peek, root), key];
}

export function valueAt(holder, key) {
  return has(holder, key) ? plain(peek(holder, key)) : ABSENT;
}

/** A value that can be told as JSON, else OTHER. */
export const plain = (value) => (isPlain(value) ? value : OTHER);

function isPlain(value) {
  if (typeof value === 'string') return value.length <= GOAL_TEXT_LENGTH && value.isWellFormed();
  return value === null || typeof value === 'boolean' || Number.isFinite(value);
}

/** Puts a plain value or ABSENT where that can be done; whether it was is seen by looking. */
export function put(holder, key, value) {
  if (types.isMap(holder)) putInMap(holder, key, value);
  else if (!isOpen(holder)) return;
  else if (value === ABSENT) remove(holder, key);
  else if (isWritable(holder, key))
    Reflect.defineProperty(holder, key, { ...propertyOf(holder, key), value });
}

function putInMap(map, key, value) {
  if (value === ABSENT) Map.prototype.delete.call(map, key);
  else Map.prototype.set.call(map, key, value);
}

/** An array's element is removed only from its end: elsewhere it would leave a hole. */
function remove(holder, key) {
  const index = Number(key);
  if (!isArray(holder)) Reflect.deleteProperty(holder, key);
  else if (index === holder.length - 1) Reflect.defineProperty(holder, 'length', { value: index });
}

const NEW = { writable: true, enumerable: true, configurable: true };
const propertyOf = (holder, key) => Reflect.getOwnPropertyDescriptor(holder, key) ?? NEW;

/** Whether it is, or would be, a data property of the object's own that can be set. */
export const isWritable = (holder, key) => isOpen(holder) && propertyOf(holder, key).writable === true;

function has(holder, key) {
  if (types.isMap(holder)) return Map.prototype.has.call(holder, key);
  return isOpen(holder) && Reflect.getOwnPropertyDescriptor(holder, key) !== undefined;
}

function peek(holder, key) {
  return types.isMap(holder) ? Map.prototype.get.call(holder, key) : own(holder, key);
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
