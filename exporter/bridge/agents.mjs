import { types } from 'node:util';

import { AGENTS, AGENTS_MILLISECONDS, ID_LENGTH, SUCCESS_HISTORY } from './limits.mjs';
import { agentId, ownValue, safeGet } from './safe-access.mjs';

/** Yields the orchestrator's agents as [id, agent, key], within the bound. No method of the bot's own Map is called. */
export function* eachAgent(orchestrator, reader) {
  const agents = agentMap(orchestrator, reader);
  if (!agents) return;
  const seen = new Set();
  for (const [key, agent] of Map.prototype.entries.call(agents)) {
    if (seen.size >= AGENTS) return;
    const id = typeof key === 'number' ? String(key) : key;
    if (typeof id !== 'string' || id === '' || id.length > ID_LENGTH || seen.has(id)) continue;
    seen.add(id);
    yield [id.toWellFormed(), agent, key];
  }
}

export function agentMap(orchestrator, reader) {
  const agents = reader.get(orchestrator, 'agents');
  return types.isMap(agents) ? agents : undefined;
}

/** The name of an agent without an orchestrator: its id, else its class in kebab-case. */
export function agentName(agent) {
  const id = agentId(agent);
  if (id !== 'unknown') return id;
  const name = safeGet(safeGet(agent, 'constructor'), 'name');
  return agentId(typeof name === 'string' ? kebabCase(name) : undefined);
}

const kebabCase = (name) =>
  name.replace(/(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '-').toLowerCase();

/**
 * The current state of the orchestrator's agents and the others, as [id, agent]: `total` counts them all, `list` has those
 * that fit the bounds on number and time.
 */
export function readAgents(orchestrator, others, reader, goalProgressOf) {
  const agents = agentMap(orchestrator, reader);
  if (!agents && others.length === 0) return undefined;
  const reputations = lookup(reader.get(orchestrator, 'agentReputations'));
  const autonomyLevels = lookup(reader.get(orchestrator, 'autonomyLevels'));
  const deadline = performance.now() + AGENTS_MILLISECONDS;
  const list = [];
  for (const [id, agent, key] of [...eachAgent(orchestrator, reader), ...others]) {
    if (list.length >= AGENTS || performance.now() > deadline) break;
    list.push({
      id,
      ...readAgent(agent, reader),
      reputation: reader.number(reputations(key)),
      autonomy: reader.number(autonomyLevels(key) ?? reader.get(agent, 'autonomyLevel')),
      goalProgress: goalProgressOf(agent),
    });
  }
  return { list, total: (agents ? mapSize(agents) : 0) + others.length };
}

/** What the agent itself holds of its state. */
export function readAgent(agent, reader) {
  const state = reader.get(agent, 'currentState');
  const either = (key, stateKey) => reader.get(agent, key) ?? reader.get(state, stateKey);
  return {
    running: reader.flag(either('isRunning', 'isRunning')),
    cycles: reader.count(either('cycleCount', 'currentCycle')),
    lastExecutionTime: reader.moment(either('lastExecutionTime', 'lastExecutionTime')),
    adaptations: reader.count(reader.get(agent, 'adaptationCount')),
    recentDecisions: reader.length(reader.get(agent, 'recentDecisions')),
    decisionHistory: reader.length(reader.get(agent, 'decisionHistory')),
    successHistory: countSuccesses(reader.get(agent, 'successHistory')),
  };
}

function countSuccesses(history) {
  if (types.isProxy(history) || !Array.isArray(history)) return undefined;
  const counts = { succeeded: 0, failed: 0 };
  for (let index = Math.max(0, history.length - SUCCESS_HISTORY); index < history.length; index += 1) {
    const entry = ownValue(history, index);
    const success = ownValue(entry, 'success') ?? entry;
    if (success === true || success === 1) counts.succeeded += 1;
    else if (success === false || success === 0) counts.failed += 1;
  }
  return counts;
}

const mapSize = (map) => Reflect.get(Map.prototype, 'size', map);

function lookup(map) {
  return types.isMap(map) ? (key) => Map.prototype.get.call(map, key) : () => undefined;
}
