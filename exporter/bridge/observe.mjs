import { types } from 'node:util';

import { get, isObject, own } from './safe.mjs';

const nothing = () => {};
const then = Promise.prototype.then;
const originals = new WeakMap();

/**
 * A function that does what the original does, and tells of it: begin(args) is called before, and the function it
 * returns once after, with (succeeded, value). `value` is missing where the outcome is not known.
 */
export function observe(original, begin) {
  return mimic(isAsync(original) ? observeAsync(original, begin) : observeAny(original, begin), original);
}

function isAsync(given) {
  const original = originals.get(given) ?? given;
  return types.isAsyncFunction(original) && !types.isGeneratorFunction(original);
}

/**
 * An async function makes a new promise for each call, so another new promise is the same to the caller. Watching the
 * original's own instead would mark it as handled, and hide a rejection that nobody handles and that ends the bot.
 * `finally` rather than `catch`: an error that is never caught keeps the place it was thrown at.
 */
function observeAsync(original, begin) {
  return async function (...args) {
    const end = started(begin, args);
    let succeeded = false;
    let value;
    try {
      value = await Reflect.apply(original, this, args);
      succeeded = true;
      return value;
    } finally {
      end(succeeded, value);
    }
  };
}

function observeAny(original, begin) {
  return function (...args) {
    const end = started(begin, args);
    let returned = false;
    let value;
    try {
      value = Reflect.apply(original, this, args);
      returned = true;
    } finally {
      if (!returned) end(false);
    }
    if (isPlainPromise(value)) {
      Reflect.apply(then, value, [(result) => end(true, result), () => end(false)]);
    } else if (!hasThen(value)) {
      end(true, value);
    }
    return value;
  };
}

function started(begin, args) {
  try {
    const end = begin(args);
    return (succeeded, value) => {
      try {
        end(succeeded, value);
      } catch {
        // counting must not fail the call
      }
    };
  } catch {
    return nothing;
  }
}

/**
 * Whatever else has a `then` is left alone, and its outcome is not known: some begin their work only when, and each
 * time, `then` is called.
 */
function isPlainPromise(value) {
  return (
    types.isPromise(value) &&
    Object.getPrototypeOf(value) === Promise.prototype &&
    Object.getOwnPropertyNames(value).length === 0
  );
}

function hasThen(value) {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
  if (types.isProxy(value)) return true;
  try {
    return typeof value.then === 'function';
  } catch {
    return true;
  }
}

/** Gives a function the name, the length and the other properties of the one it stands for. */
export function mimic(substitute, original) {
  originals.set(substitute, originals.get(original) ?? original);
  if (types.isProxy(original)) return substitute;
  for (const key of Reflect.ownKeys(original)) {
    if (key === 'prototype' || key === 'arguments' || key === 'caller') continue;
    Reflect.defineProperty(substitute, key, Reflect.getOwnPropertyDescriptor(original, key));
  }
  return substitute;
}

/** Observes one method of whichever object has it at the moment. */
export class MethodWatch {
  #begin;
  #holder;
  #undo;

  constructor(begin) {
    this.#begin = begin;
  }

  get watching() {
    return this.#undo !== undefined;
  }

  /** A method that the bot replaces later on the same object stays as it is: the new one may call the observed one. */
  on(holder, name) {
    if (this.#undo && (holder === this.#holder || !isObject(holder))) return;
    this.stop();
    this.#holder = holder;
    this.#undo = substitute(holder, name, this.#begin);
  }

  stop() {
    this.#undo?.();
    this.#undo = undefined;
  }
}

/**
 * Puts an observed version of object[name] on the object itself, where it adds nothing to what the object lists.
 * Returns what undoes it, or undefined where there is nothing to observe or the object does not allow it.
 */
function substitute(object, name, begin) {
  if (!isObject(object) || types.isProxy(object)) return undefined;
  const before = Reflect.getOwnPropertyDescriptor(object, name);
  const original = before ? before.value : get(object, name);
  if (typeof original !== 'function') return undefined;
  const observed = observe(original, begin);
  const enumerable = before?.enumerable ?? false;
  if (
    !Reflect.defineProperty(object, name, { value: observed, writable: true, configurable: true, enumerable })
  ) {
    return undefined;
  }
  return () => {
    if (own(object, name) !== observed) return;
    if (before) Reflect.defineProperty(object, name, before);
    else Reflect.deleteProperty(object, name);
  };
}
