import { types } from 'node:util';

import { isObject, ownValue, safeGet } from './safe-access.mjs';

const noop = () => {};
const then = Promise.prototype.then;
const originals = new WeakMap();
/** By pass-through: what it passes every call of a known instance on to. */
const passedThrough = new WeakMap();

/**
 * Wraps a function without changing what it does. begin(args) is called before the original; the function it returns is
 * called after it, with (succeeded, value), unless the outcome cannot be known.
 */
export function wrapFunction(original, begin) {
  return mimicFunction(isAsync(original) ? wrapAsync(original, begin) : wrapAny(original, begin), original);
}

function isAsync(candidate) {
  const original = originals.get(candidate) ?? candidate;
  return types.isAsyncFunction(original) && !types.isGeneratorFunction(original);
}

/**
 * An async function returns a new promise from each call, so the caller cannot tell it from the wrapper's. A `then` on
 * the original's promise would mark it as handled, and hide an unhandled rejection that ends the bot. `finally` rather
 * than `catch`: an uncaught error keeps the location it was thrown at.
 */
function wrapAsync(original, begin) {
  return async function (...args) {
    const end = beginSafely(begin, args);
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

function wrapAny(original, begin) {
  return function (...args) {
    const end = beginSafely(begin, args);
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

function beginSafely(begin, args) {
  try {
    const end = begin(args);
    return (succeeded, value) => {
      try {
        end(succeeded, value);
      } catch {
        // an error in the instrumentation must not fail the call
      }
    };
  } catch {
    return noop;
  }
}

/** Other thenables are left alone and their outcome is unknown: some start their work each time `then` is called. */
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

/** Gives a wrapper the name, length and other own properties of the function it wraps. */
export function mimicFunction(wrapper, original) {
  originals.set(wrapper, originals.get(original) ?? original);
  if (types.isProxy(original)) return wrapper;
  for (const key of Reflect.ownKeys(original)) {
    if (key === 'prototype' || key === 'arguments' || key === 'caller') continue;
    Reflect.defineProperty(wrapper, key, Reflect.getOwnPropertyDescriptor(original, key));
  }
  return wrapper;
}

/** A pass-through of a method: wrapping the method of an instance leaves it out, and a stack trace has no frame of it. */
export function mimicPassThrough(passThrough, original) {
  passedThrough.set(passThrough, original);
  return mimicFunction(passThrough, original);
}

/** Wraps one method of one object at a time, and restores it. */
export class MethodWrapper {
  #begin;
  #object;
  #restore;

  constructor(begin) {
    this.#begin = begin;
  }

  get isActive() {
    return this.#restore !== undefined;
  }

  /** A method that the bot replaces later on the same object is not wrapped again: it may call the wrapped one. */
  wrap(object, name) {
    if (this.#restore && (object === this.#object || !isObject(object))) return;
    this.unwrap();
    this.#object = object;
    this.#restore = wrapMethod(object, name, this.#begin);
  }

  unwrap() {
    this.#restore?.();
    this.#restore = undefined;
  }
}

/**
 * Replaces object[name] by a wrapped version, on the object itself and not newly enumerable. Returns a function that
 * restores it, or undefined where there is no method or the object does not allow it.
 */
function wrapMethod(object, name, begin) {
  if (!isObject(object) || types.isProxy(object)) return undefined;
  const before = Reflect.getOwnPropertyDescriptor(object, name);
  const original = before ? before.value : safeGet(object, name);
  if (typeof original !== 'function') return undefined;
  const wrapped = wrapFunction(passedThrough.get(original) ?? original, begin);
  const enumerable = before?.enumerable ?? false;
  if (
    !Reflect.defineProperty(object, name, { value: wrapped, writable: true, configurable: true, enumerable })
  ) {
    return undefined;
  }
  return () => {
    if (ownValue(object, name) !== wrapped) return;
    if (before) Reflect.defineProperty(object, name, before);
    else Reflect.deleteProperty(object, name);
  };
}
