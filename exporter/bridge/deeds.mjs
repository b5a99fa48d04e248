import { Agent, LEVEL, LEVELS } from './agent.mjs';
import { BusyError, RefusedError, call, expectIdle } from './calling.mjs';
import { ABSENT, OTHER } from './changes.mjs';
import { get, isObject } from './safe.mjs';

const LOWEST = 0.3;
const HIGHEST = 0.95;
const FACTORS = { lower: 0.95, raise: 1.05 };

const COMMANDS = { pause: 'pause_system', resume: 'resume_system' };

/**
 * Makes ready what is asked for, or throws RefusedError or BusyError. run() does it: a call of the bot's method is its
 * last step, so that what waited long for one has nothing left to do. changes() tells what is different since.
 */
export function prepare(request, orchestrator, earlier) {
  if (!isObject(orchestrator)) throw new RefusedError('no orchestrator is attached');
  return DEEDS[request.action](request, orchestrator, earlier);
}

/** All is as it was asked for already. */
const NOTHING = { run: async () => {}, changes: () => [] };

const DEEDS = {
  execute_adaptation: executeAdaptation,
  adjust_autonomy: adjustAutonomy,
  pause: sendCommand,
  resume: sendCommand,
  restore,
};

function executeAdaptation({ agent: id, adaptations }, orchestrator) {
  const agent = new Agent(orchestrator, id);
  return { run: () => agent.call('executeAdaptation', [...adaptations]), changes: agent.changes };
}

function adjustAutonomy({ agent: id, direction }, orchestrator) {
  const agent = new Agent(orchestrator, id);
  const level = agent.level();
  if (!agent.takesLevel()) throw new RefusedError(`there is no way to set the autonomy of ${id}`);
  if (typeof level !== 'number' || level < 0 || level > 1) {
    throw new RefusedError(`the autonomy of ${id} is no ratio from 0 to 1`);
  }
  if (direction === 'lower' ? level <= LOWEST : level >= HIGHEST) return NOTHING;
  const next = Math.min(HIGHEST, Math.max(LOWEST, level * FACTORS[direction]));
  return {
    async run() {
      if (agent.at(LEVELS) !== ABSENT) agent.put(LEVELS, next);
      await agent.put(LEVEL, next);
    },
    changes: agent.changes,
  };
}

/** The bot carries the command out at the start of its next cycle. What is not answered may have been sent. */
function sendCommand({ action, id }, orchestrator) {
  const database = get(orchestrator, 'db');
  expectIdle(database);
  const command = COMMANDS[action];
  const origin = { source: 'tweetbot-bridge', id };
  let sent = false;
  return {
    async run() {
      const answered = call(database, 'createSystemCommand', command, origin);
      sent = true;
      try {
        await answered;
      } catch (error) {
        sent = false;
        throw error;
      }
    },
    changes: () => (sent ? [{ agent: '', path: 'system_commands', from: ABSENT, to: command }] : []),
  };
}

function restore({ restores, id }, orchestrator, earlier) {
  if (!earlier) throw new RefusedError(`no action ${restores} is known`);
  const { action, agent } = earlier.request;
  if (action === 'restore' || action === 'resume') throw new RefusedError(`a ${action} is not taken back`);
  if (earlier.status === 'running') throw new BusyError(`${restores} has not ended`);
  if (earlier.restored || earlier.changes.length === 0) throw new RefusedError('there is nothing to restore');
  if (action === 'pause') return sendCommand({ action: 'resume', id }, orchestrator);
  return restoreValues(new Agent(orchestrator, agent), earlier.changes);
}

/** In reverse, which puts the agent's own level, the first in a snapshot, last. */
function restoreValues(agent, changes) {
  return {
    async run() {
      const [since, stuck] = [[], []];
      for (const { path, from, to } of changes.toReversed()) {
        const value = agent.at(path);
        if (from === OTHER || to === OTHER) stuck.push(path);
        else if (value === to) {
          await agent.put(path, from);
          if (agent.at(path) !== from) stuck.push(path);
        } else if (value !== from) since.push(path);
      }
      const left = Object.entries({ 'changed since': since, 'cannot be put back': stuck })
        .filter(([, paths]) => paths.length > 0)
        .map(([why, paths]) => `${why}: ${paths.join(', ')}`);
      if (left.length > 0) throw new RefusedError(left.join('; '));
    },
    changes: agent.changes,
  };
}
