import { types } from 'node:util';

import { eachAgent } from './agents.mjs';
import { RefusedError, call, expectIdle } from './calling.mjs';
import { ABSENT, Snapshot, isWritable, place, plain, put, valueAt } from './changes.mjs';
import { Reader, get, isObject } from './safe.mjs';

/** The agent's own level. */
export const LEVEL = 'autonomyLevel';
/** The orchestrator's level for the agent. */
export const LEVELS = 'autonomyLevels';
const UPDATE = 'updateAutonomyLevel';

/** One idle agent, with the values that an action may change: its level, the orchestrator's for it, its goals. */
export class Agent {
  #id;
  #agent;
  #levels;
  #key;
  #before;

  constructor(orchestrator, id) {
    const [, agent, key] = find(orchestrator, id) ?? [];
    if (!isObject(agent)) throw new RefusedError(`there is no agent ${JSON.stringify(id)}`);
    expectIdle(agent);
    const levels = get(orchestrator, LEVELS);
    this.#id = id;
    this.#agent = agent;
    this.#levels = types.isMap(levels) ? levels : undefined;
    this.#key = key;
    this.#before = this.#read();
  }

  /** What is different since. */
  changes = () => this.#before.changesTo(this.#read()).map((change) => ({ agent: this.#id, ...change }));

  level() {
    const level = this.at(LEVELS);
    return level === ABSENT ? this.at(LEVEL) : level;
  }

  takesLevel() {
    return this.#updatesLevel() || (valueAt(this.#agent, LEVEL) !== ABSENT && isWritable(this.#agent, LEVEL));
  }

  at(path) {
    if (path !== LEVEL) return valueAt(...this.#place(path));
    const level = get(this.#agent, LEVEL); // may be a getter, beside the bot's own method to set it
    return level === undefined ? ABSENT : plain(level);
  }

  put(path, value) {
    if (path === LEVEL && typeof value === 'number' && this.#updatesLevel()) return this.call(UPDATE, value);
    return put(...this.#place(path), value);
  }

  call(method, ...args) {
    return call(this.#agent, method, ...args);
  }

  #updatesLevel() {
    return typeof get(this.#agent, UPDATE) === 'function';
  }

  #place(path) {
    return path === LEVELS ? [this.#levels, this.#key] : place(this.#agent, path);
  }

  #read() {
    const snapshot = new Snapshot();
    for (const path of [LEVEL, LEVELS]) snapshot.set(path, this.at(path));
    snapshot.walk(this.#agent, 'goals');
    return snapshot;
  }
}

function find(orchestrator, id) {
  for (const found of eachAgent(orchestrator, new Reader())) if (found[0] === id) return found;
  return undefined;
}
