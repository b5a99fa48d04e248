import { AGENT_LEVEL, ActionTarget, ORCHESTRATOR_LEVEL } from './action-target.mjs';
import { ActionBusyError, ActionRefusedError } from './errors.mjs';
import { assertIdle, invoke } from './invoke.mjs';
import { isObject, safeGet } from './safe-access.mjs';
import { ABSENT, OPAQUE } from './snapshot.mjs';

const MIN_AUTONOMY = 0.3;
const MAX_AUTONOMY = 0.95;
const AUTONOMY_FACTORS = { lower: 0.95, raise: 1.05 };

const SYSTEM_COMMANDS = { pause: 'pause_system', resume: 'resume_system' };

/**
 * Prepares an action as { run, changes }, or throws ActionRefusedError or ActionBusyError. run() carries it out; a call
 * of the bot's method is its last step, so nothing is left to do when a call that hung for long returns. changes()
 * lists what is different since the preparation.
 */
export function prepare(request, orchestrator, earlier) {
  if (!isObject(orchestrator)) throw new ActionRefusedError('no orchestrator is attached');
  return HANDLERS[request.action](request, orchestrator, earlier);
}

const NO_OP = { run: async () => {}, changes: () => [] };

const HANDLERS = {
  execute_adaptation: executeAdaptation,
  adjust_autonomy: adjustAutonomy,
  pause: sendCommand,
  resume: sendCommand,
  restore,
};

function executeAdaptation({ agent: id, adaptations }, orchestrator) {
  const target = new ActionTarget(orchestrator, id);
  return { run: () => target.invoke('executeAdaptation', [...adaptations]), changes: target.changes };
}

function adjustAutonomy({ agent: id, direction }, orchestrator) {
  const target = new ActionTarget(orchestrator, id);
  const level = target.autonomyLevel();
  if (!target.canSetLevel()) throw new ActionRefusedError(`there is no way to set the autonomy of ${id}`);
  if (typeof level !== 'number' || level < 0 || level > 1) {
    throw new ActionRefusedError(`the autonomy of ${id} is not a ratio from 0 to 1`);
  }
  if (direction === 'lower' ? level <= MIN_AUTONOMY : level >= MAX_AUTONOMY) return NO_OP;
  const next = Math.min(MAX_AUTONOMY, Math.max(MIN_AUTONOMY, level * AUTONOMY_FACTORS[direction]));
  return {
    async run() {
      if (target.get(ORCHESTRATOR_LEVEL) !== ABSENT) target.set(ORCHESTRATOR_LEVEL, next);
      await target.set(AGENT_LEVEL, next);
    },
    changes: target.changes,
  };
}

/** The bot executes the command at the start of its next cycle. One whose call is still pending may have been sent. */
function sendCommand({ action, id }, orchestrator) {
  const database = safeGet(orchestrator, 'db');
  assertIdle(database);
  const command = SYSTEM_COMMANDS[action];
  const origin = { source: 'tweetbot-bridge', id };
  let sent = false;
  return {
    async run() {
      const pending = invoke(database, 'createSystemCommand', command, origin);
      sent = true;
      try {
        await pending;
      } catch (error) {
        sent = false;
        throw error;
      }
    },
    changes: () => (sent ? [{ agent: '', path: 'system_commands', from: ABSENT, to: command }] : []),
  };
}

function restore({ restores, id }, orchestrator, earlier) {
  if (!earlier) throw new ActionRefusedError(`no action ${restores} is known`);
  const { action, agent } = earlier.request;
  if (action === 'restore' || action === 'resume') {
    throw new ActionRefusedError(`a ${action} cannot be restored`);
  }
  if (earlier.status === 'running') throw new ActionBusyError(`${restores} is still running`);
  if (earlier.restored || earlier.changes.length === 0) {
    throw new ActionRefusedError('there is nothing to restore');
  }
  if (action === 'pause') return sendCommand({ action: 'resume', id }, orchestrator);
  return restoreValues(new ActionTarget(orchestrator, agent), earlier.changes);
}

/** In reverse: the agent's own level, which may need a call of the bot's method, is first in a snapshot. */
function restoreValues(target, changes) {
  return {
    async run() {
      const [conflicts, failures] = [[], []];
      for (const { path, from, to } of changes.toReversed()) {
        const value = target.get(path);
        if (from === OPAQUE || to === OPAQUE) failures.push(path);
        else if (value === to) {
          await target.set(path, from);
          if (target.get(path) !== from) failures.push(path);
        } else if (value !== from) conflicts.push(path);
      }
      const reasons = Object.entries({ 'changed since': conflicts, 'cannot be restored': failures })
        .filter(([, paths]) => paths.length > 0)
        .map(([reason, paths]) => `${reason}: ${paths.join(', ')}`);
      if (reasons.length > 0) throw new ActionRefusedError(reasons.join('; '));
    },
    changes: target.changes,
  };
}
