import { types } from 'node:util';

import { CYCLE } from './bridge.mjs';
import { isObject, ownValue, safeGet } from './safe-access.mjs';
import { mimicFunction, wrapFunction } from './wrap.mjs';

const patchedPrototypes = new WeakSet();
const discovered = new WeakSet();

/**
 * Calls attach(orchestrator) for a value that is an orchestrator or, for a class of them, as soon as an instance calls
 * one of its methods. attach() returns the bridge if it newly attached the orchestrator.
 */
export function discover(value, attach) {
  if (typeof value === 'function') discoverClass(value, attach);
  else if (isOrchestrator(value) && types.isMap(safeGet(value, 'agents'))) attach(value);
}

const isOrchestrator = (value) =>
  isObject(value) && !types.isProxy(value) && typeof safeGet(value, CYCLE) === 'function';

function discoverClass(orchestratorClass, attach) {
  const prototype = Reflect.getOwnPropertyDescriptor(orchestratorClass, 'prototype')?.value;
  const prototypes = prototypesToCycle(prototype).filter((each) => !patchedPrototypes.has(each));
  prototypes.forEach((each) => patchedPrototypes.add(each));
  new InstanceDetector(attach).patch(prototypes);
}

/** Methods have no prototype; a function that has one may be a class, which cannot be called through a wrapper. */
const isMethod = (value) =>
  typeof value === 'function' && !types.isProxy(value) && !Object.hasOwn(value, 'prototype');

/** The prototype chain down to the prototype that defines the cycle; empty if none does. */
function prototypesToCycle(prototype) {
  const found = [];
  for (let each = prototype; isObject(each) && !types.isProxy(each); each = Object.getPrototypeOf(each)) {
    found.push(each);
    if (typeof ownValue(each, CYCLE) === 'function') return found;
  }
  return [];
}

/**
 * Detects instances by their first method call: an instance may be older than the patch, and its first cycle may be
 * minutes away. After the first instance only the method of the cycle stays patched.
 */
class InstanceDetector {
  #attach;
  #unpatch = [];

  constructor(attach) {
    this.#attach = attach;
  }

  patch(prototypes) {
    for (const prototype of prototypes) {
      for (const key of Reflect.ownKeys(prototype)) this.#patchMethod(prototype, key);
    }
  }

  #patchMethod(prototype, key) {
    const before = Reflect.getOwnPropertyDescriptor(prototype, key);
    if (!before.configurable || !(key === CYCLE || isMethod(before.value))) return;
    const value = mimicFunction(this.#passThrough(before.value, key), before.value);
    Reflect.defineProperty(prototype, key, { ...before, value });
    if (key === CYCLE) return;
    this.#unpatch.push(() => {
      if (ownValue(prototype, key) === value) Reflect.defineProperty(prototype, key, before);
    });
  }

  #passThrough(original, key) {
    const detector = this;
    return function (...args) {
      const bridge = detector.#attachInstance(this);
      const method = bridge && key === CYCLE ? wrapFunction(original, bridge.beginCycle) : original;
      return Reflect.apply(method, this, args);
    };
  }

  /** Returns the bridge for a newly attached instance: the cycle that it may be about to begin is not wrapped yet. */
  #attachInstance(instance) {
    try {
      if (discovered.has(instance) || !isOrchestrator(instance) || patchedPrototypes.has(instance)) {
        return undefined;
      }
      discovered.add(instance);
      this.#unpatch.splice(0).forEach((unpatch) => unpatch());
      return this.#attach(instance);
    } catch {
      return undefined;
    }
  }
}
