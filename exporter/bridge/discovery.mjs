import { types } from 'node:util';

import { isObject, ownValue, safeGet } from './safe-access.mjs';
import { AGENT_METHODS, CYCLE } from './transform.mjs';
import { mimicPassThrough, wrapFunction } from './wrap.mjs';

const patchedPrototypes = new WeakSet();
const discovered = new WeakSet();

/**
 * Calls attach(orchestrator) for a value that is an orchestrator or, for a class of them, as soon as an instance calls
 * one of its methods; add(agent) likewise for a class of agents. attach() returns the bridge if it newly attached the
 * orchestrator.
 */
export function discover(value, attach, add) {
  if (typeof value === 'function') discoverClass(value, attach, add);
  else if (has(value, CYCLE) && types.isMap(safeGet(value, 'agents'))) attach(value);
}

const has = (value, method) =>
  isObject(value) && !types.isProxy(value) && typeof safeGet(value, method) === 'function';

function discoverClass(value, attach, add) {
  const prototype = Reflect.getOwnPropertyDescriptor(value, 'prototype')?.value;
  const patch = (marker, found) => {
    const prototypes = prototypesTo(marker, prototype);
    const unpatched = prototypes.filter((each) => !patchedPrototypes.has(each));
    unpatched.forEach((each) => patchedPrototypes.add(each));
    new InstanceDetector(marker, found).patch(unpatched);
    return prototypes.length > 0;
  };
  if (!patch(CYCLE, attach)) AGENT_METHODS.some((method) => patch(method, add));
}

/** Methods have no prototype; a function that has one may be a class, which cannot be called through a wrapper. */
const isMethod = (value) =>
  typeof value === 'function' && !types.isProxy(value) && !Object.hasOwn(value, 'prototype');

/** The prototype chain down to the prototype that defines the marker; empty if none does. */
function prototypesTo(marker, prototype) {
  const found = [];
  for (let each = prototype; isObject(each) && !types.isProxy(each); each = Object.getPrototypeOf(each)) {
    found.push(each);
    if (typeof ownValue(each, marker) === 'function') return found;
  }
  return [];
}

/**
 * Detects instances by their first method call: an instance may be older than the patch, and its first cycle may be
 * minutes away. After the first instance only the marker, a method that tells what the class is, stays patched.
 */
class InstanceDetector {
  #marker;
  #found;
  #unpatch = [];

  constructor(marker, found) {
    this.#marker = marker;
    this.#found = found;
  }

  patch(prototypes) {
    for (const prototype of prototypes) {
      for (const key of Reflect.ownKeys(prototype)) this.#patchMethod(prototype, key);
    }
  }

  #patchMethod(prototype, key) {
    const before = Reflect.getOwnPropertyDescriptor(prototype, key);
    if (!before.configurable || !(key === this.#marker || isMethod(before.value))) return;
    const value = mimicPassThrough(this.#passThrough(before.value, key), before.value);
    Reflect.defineProperty(prototype, key, { ...before, value });
    if (key === this.#marker) return;
    this.#unpatch.push(() => {
      if (ownValue(prototype, key) === value) Reflect.defineProperty(prototype, key, before);
    });
  }

  #passThrough(original, key) {
    const detector = this;
    return function (...args) {
      const bridge = detector.#detect(this);
      const method = bridge && key === CYCLE ? wrapFunction(original, bridge.beginCycle) : original;
      return Reflect.apply(method, this, args);
    };
  }

  /** Returns the bridge for a newly attached instance: the cycle that it may be about to begin is not wrapped yet. */
  #detect(instance) {
    try {
      if (discovered.has(instance) || !has(instance, this.#marker) || patchedPrototypes.has(instance)) {
        return undefined;
      }
      discovered.add(instance);
      this.#unpatch.splice(0).forEach((unpatch) => unpatch());
      return this.#found(instance);
    } catch {
      return undefined;
    }
  }
}
