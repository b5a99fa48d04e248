import { types } from 'node:util';

import { CYCLE } from './bridge.mjs';
import { mimic, observe } from './observe.mjs';
import { get, isObject, own } from './safe.mjs';

const patched = new WeakSet();
const met = new WeakSet();

/**
 * Calls meet(orchestrator) for a value that is one, or, for a class of them, as soon as one of its methods is called.
 * Meet returns the bridge that was attached to it by this, if it was.
 */
export function recognise(value, meet) {
  if (typeof value === 'function') recogniseClass(value, meet);
  else if (isOrchestrator(value) && types.isMap(get(value, 'agents'))) meet(value);
}

const isOrchestrator = (value) =>
  isObject(value) && !types.isProxy(value) && typeof get(value, CYCLE) === 'function';

function recogniseClass(orchestratorClass, meet) {
  const prototype = Reflect.getOwnPropertyDescriptor(orchestratorClass, 'prototype')?.value;
  const prototypes = downToCycle(prototype).filter((each) => !patched.has(each));
  prototypes.forEach((each) => patched.add(each));
  new Reception(meet).openOn(prototypes);
}

/** Methods have no prototype; a function that has one may be a class, which cannot be passed through. */
const isMethod = (value) =>
  typeof value === 'function' && !types.isProxy(value) && !Object.hasOwn(value, 'prototype');

/** The prototypes from this one to the one that has the cycle; none where none has it. */
function downToCycle(prototype) {
  const found = [];
  for (let each = prototype; isObject(each) && !types.isProxy(each); each = Object.getPrototypeOf(each)) {
    found.push(each);
    if (typeof own(each, CYCLE) === 'function') return found;
  }
  return [];
}

/**
 * Waits for an instance to call any of its methods. The class may have made it before the class was known, and its
 * first cycle may be minutes away. After the first instance only the cycle is waited for.
 */
class Reception {
  #meet;
  #restore = [];

  constructor(meet) {
    this.#meet = meet;
  }

  openOn(prototypes) {
    for (const prototype of prototypes) {
      for (const key of Reflect.ownKeys(prototype)) this.#waitAt(prototype, key);
    }
  }

  #waitAt(prototype, key) {
    const before = Reflect.getOwnPropertyDescriptor(prototype, key);
    if (!before.configurable || !(key === CYCLE || isMethod(before.value))) return;
    const value = mimic(this.#passThrough(before.value, key), before.value);
    Reflect.defineProperty(prototype, key, { ...before, value });
    if (key === CYCLE) return;
    this.#restore.push(() => {
      if (own(prototype, key) === value) Reflect.defineProperty(prototype, key, before);
    });
  }

  #passThrough(original, key) {
    const reception = this;
    return function (...args) {
      const bridge = reception.#introduce(this);
      const method = bridge && key === CYCLE ? observe(original, bridge.beginCycle) : original;
      return Reflect.apply(method, this, args);
    };
  }

  /** The bridge for one that is met for the first time: the cycle that it may be about to begin is not observed yet. */
  #introduce(instance) {
    try {
      if (met.has(instance) || !isOrchestrator(instance) || patched.has(instance)) return undefined;
      met.add(instance);
      this.#restore.splice(0).forEach((restore) => restore());
      return this.#meet(instance);
    } catch {
      return undefined;
    }
  }
}
