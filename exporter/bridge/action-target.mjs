import { types } from 'node:util';

import { eachAgent } from './agents.mjs';
import { ActionRefusedError } from './errors.mjs';
import { assertIdle, invoke } from './invoke.mjs';
import { ValueReader, isObject, safeGet } from './safe-access.mjs';
import { ABSENT, Snapshot, isWritable, resolvePath, setValue, toPlain, valueAt } from './snapshot.mjs';

/** Path of the agent's own autonomy level. */
export const AGENT_LEVEL = 'autonomyLevel';
/** Path of the orchestrator's autonomy level for the agent. */
export const ORCHESTRATOR_LEVEL = 'autonomyLevels';
const LEVEL_SETTER = 'updateAutonomyLevel';

/** An idle agent and the values that an action may change: both autonomy levels, and the agent's goals. */
export class ActionTarget {
  #id;
  #agent;
  #levels;
  #key;
  #before;

  constructor(orchestrator, id) {
    const [, agent, key] = findAgent(orchestrator, id) ?? [];
    if (!isObject(agent)) throw new ActionRefusedError(`there is no agent ${JSON.stringify(id)}`);
    assertIdle(agent);
    const levels = safeGet(orchestrator, ORCHESTRATOR_LEVEL);
    this.#id = id;
    this.#agent = agent;
    this.#levels = types.isMap(levels) ? levels : undefined;
    this.#key = key;
    this.#before = this.#takeSnapshot();
  }

  /** What has changed since this object was made: a list of { agent, path, from, to }. */
  changes = () => this.#before.diff(this.#takeSnapshot()).map((change) => ({ agent: this.#id, ...change }));

  autonomyLevel() {
    const level = this.get(ORCHESTRATOR_LEVEL);
    return level === ABSENT ? this.get(AGENT_LEVEL) : level;
  }

  canSetLevel() {
    return (
      this.#hasLevelSetter() ||
      (valueAt(this.#agent, AGENT_LEVEL) !== ABSENT && isWritable(this.#agent, AGENT_LEVEL))
    );
  }

  get(path) {
    if (path !== AGENT_LEVEL) return valueAt(...this.#resolve(path));
    const level = safeGet(this.#agent, AGENT_LEVEL); // a bot with a setter method may expose a getter
    return level === undefined ? ABSENT : toPlain(level);
  }

  set(path, value) {
    if (path === AGENT_LEVEL && typeof value === 'number' && this.#hasLevelSetter()) {
      return this.invoke(LEVEL_SETTER, value);
    }
    return setValue(...this.#resolve(path), value);
  }

  invoke(method, ...args) {
    return invoke(this.#agent, method, ...args);
  }

  #hasLevelSetter() {
    return typeof safeGet(this.#agent, LEVEL_SETTER) === 'function';
  }

  #resolve(path) {
    return path === ORCHESTRATOR_LEVEL ? [this.#levels, this.#key] : resolvePath(this.#agent, path);
  }

  #takeSnapshot() {
    const snapshot = new Snapshot();
    for (const path of [AGENT_LEVEL, ORCHESTRATOR_LEVEL]) snapshot.set(path, this.get(path));
    snapshot.walk(this.#agent, 'goals');
    return snapshot;
  }
}

function findAgent(orchestrator, id) {
  for (const found of eachAgent(orchestrator, new ValueReader())) if (found[0] === id) return found;
  return undefined;
}
