import { ActionTarget } from './action-target.mjs';
import { eachAgent } from './agents.mjs';
import { ValueReader, isObject, safeGet } from './safe-access.mjs';

/** What the bot's own methods allow to be done: a list of { agent, actions }, with agent "" for the whole bot. */
export function abilities(orchestrator, allowed) {
  if (!isObject(orchestrator)) return [];
  const can = (action, isPossible) => (allowed.includes(action) && isPossible() ? [action] : []);
  const agents = [...eachAgent(orchestrator, new ValueReader())].map(([id, agent]) => ({
    agent: id,
    actions: [
      ...can('execute_adaptation', () => typeof safeGet(agent, 'executeAdaptation') === 'function'),
      ...can('adjust_autonomy', () => canAdjust(orchestrator, id)),
    ],
  }));
  const database = safeGet(orchestrator, 'db');
  const pauses = () => isObject(database) && typeof safeGet(database, 'createSystemCommand') === 'function';
  return [{ agent: '', actions: can('pause', pauses) }, ...agents];
}

function canAdjust(orchestrator, id) {
  try {
    const target = new ActionTarget(orchestrator, id);
    return target.canSetLevel() && typeof target.autonomyLevel() === 'number';
  } catch {
    return false;
  }
}

/** Those of the changes whose value is another one by now, as { agent, path, from, to }. */
export function overridden(orchestrator, { request, changes }) {
  const values = changes.filter(({ path }) => path !== 'system_commands');
  if (values.length === 0) return [];
  const target = new ActionTarget(orchestrator, request.agent);
  return values
    .map(({ agent, path, to }) => ({ agent, path, from: to, to: target.get(path) }))
    .filter(({ from, to }) => from !== to);
}
