import { abilities, overridden } from './action-abilities.mjs';
import { prepare } from './action-handlers.mjs';
import { OwnerLease } from './action-lease.mjs';
import { parseRequest } from './action-request.mjs';
import { ActionTarget } from './action-target.mjs';
import { ActionBusyError, ActionRefusedError } from './errors.mjs';
import { ACTIONS_PER_MINUTE, ACTIONS_REMEMBERED, CHANGES_REMEMBERED, ERROR_LENGTH } from './limits.mjs';
import { startTime } from './process.mjs';

const MINUTE_MILLISECONDS = 60_000;

/**
 * Executes actions on the attached orchestrator: each id once, one action at a time, and a limited number a minute. An
 * action that exceeds the time limit stops blocking the others, except those on the object that it is still using.
 */
export class ActionExecutor {
  #allowed;
  #timeLimit;
  #orchestrator;
  #actions = new Map();
  #changesRemembered = 0;
  #running = false;
  #startTimes = [];
  #lease = new OwnerLease();

  /** `orchestrator()` returns the one that is attached at the moment. */
  constructor({ allowed, timeLimitSeconds }, orchestrator) {
    this.#allowed = allowed;
    this.#timeLimit = timeLimitSeconds * 1000;
    this.#orchestrator = orchestrator;
  }

  /** Answers a request body within `wait` milliseconds, with { status, document, retryAfter }. */
  async handle(bytes, wait) {
    let request;
    try {
      request = parseRequest(bytes);
    } catch (error) {
      return problem(400, error.message);
    }
    if (request.botStart !== startTime()) return problem(409, 'botStart is of another process');
    if (request.action === 'describe') return this.#describe(request);
    const taken = this.#lease.claim(request.owner ?? '');
    if (taken > 0) return problem(409, `another optimizer acts on this bot, for ${taken} s from its last request`);
    if (request.action === 'check') return this.#check(request);
    const text = JSON.stringify(request);
    const known = this.#actions.get(request.id);
    if (known && known.text !== text) return problem(400, `${request.id} was the id of another request`);
    let action;
    try {
      action = known ?? this.#start(request, text);
    } catch (error) {
      if (error instanceof ActionBusyError) return problem(429, error.message, error.retryAfter);
      throw error;
    }
    await settlesWithin(wait, action.finished);
    const document = { ...answer(action), overridden: known && this.#overridden(action) };
    return { status: action.status === 'running' ? 202 : 200, document };
  }

  #describe(request) {
    const found = { ...done(request), abilities: abilities(this.#orchestrator(), this.#allowed) };
    return { status: 200, document: found };
  }

  /** What was read needs no memory: the same id may be used again. */
  #check(request) {
    const earlier = this.#actions.get(request.checks);
    try {
      if (!earlier) throw new ActionRefusedError(`no action ${request.checks} is known`);
      return { status: 200, document: done(request, overridden(this.#orchestrator(), earlier)) };
    } catch (error) {
      if (error instanceof ActionBusyError) return problem(429, error.message, error.retryAfter);
      return { status: 200, document: { ...done(request), status: 'refused', error: oneLine(error.message) } };
    }
  }

  /** Throws ActionBusyError without using up the id. */
  #start(request, text) {
    this.#checkCapacity();
    const earlier = this.#actions.get(request.restores);
    const handler = this.#prepare(request, earlier);
    const action = { request, text, status: 'running', changes: [], error: undefined, restored: false };
    this.#running = true;
    this.#startTimes.push(performance.now());
    this.#actions.set(request.id, action);
    action.finished = this.#execute(action, handler, earlier);
    const release = () => {
      this.#running = false;
    };
    settlesWithin(this.#timeLimit, action.finished).then(release, release);
    return action;
  }

  #checkCapacity() {
    if (this.#running) throw new ActionBusyError('another action is running', 1);
    const time = performance.now();
    this.#startTimes = this.#startTimes.filter((start) => time - start < MINUTE_MILLISECONDS);
    if (this.#startTimes.length < ACTIONS_PER_MINUTE) return;
    const seconds = Math.ceil((MINUTE_MILLISECONDS - (time - this.#startTimes[0])) / 1000);
    throw new ActionBusyError(`no more than ${ACTIONS_PER_MINUTE} actions a minute`, seconds);
  }

  /** A refused action is remembered with its answer like any other. */
  #prepare(request, earlier) {
    try {
      if (!this.#isAllowed(request.action)) throw new ActionRefusedError(`${request.action} is not allowed`);
      return prepare(request, this.#orchestrator(), earlier);
    } catch (error) {
      if (error instanceof ActionBusyError) throw error;
      return { run: () => Promise.reject(error), changes: () => [] };
    }
  }

  /** Permission for an action includes permission to undo it. */
  #isAllowed(action) {
    if (action === 'restore' || this.#allowed.includes(action)) return true;
    return action === 'resume' && this.#allowed.includes('pause');
  }

  async #execute(action, handler, earlier) {
    try {
      await handler.run();
      action.status = 'done';
      if (earlier) earlier.restored = true;
    } catch (error) {
      action.status = error instanceof ActionRefusedError ? 'refused' : 'failed';
      action.error = oneLine(error.message);
    }
    action.changes = handler.changes();
    if (this.#actions.get(action.request.id) !== action) return;
    this.#changesRemembered += action.changes.length;
    this.#evict();
  }

  /** The paths of changes that no longer stand, which the bot or somebody else has changed since. */
  #overridden({ request, changes, restored }) {
    if (restored || !request.agent) return undefined;
    try {
      const target = new ActionTarget(this.#orchestrator(), request.agent);
      const paths = changes.filter(({ path, to }) => target.get(path) !== to).map(({ path }) => path);
      return paths.length > 0 ? paths : undefined;
    } catch {
      return undefined; // the agent is gone, or a call on it is pending
    }
  }

  #evict() {
    while (this.#actions.size > ACTIONS_REMEMBERED || this.#changesRemembered > CHANGES_REMEMBERED) {
      const [[id, oldest]] = this.#actions;
      this.#actions.delete(id);
      this.#changesRemembered -= oldest.changes.length;
    }
  }
}

/** Resolves to true if the promise is fulfilled in time, else to false; rejects if the promise does. */
function settlesWithin(milliseconds, promise) {
  let timer;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds, false).unref();
  });
  return Promise.race([promise.then(() => true), timeout]).finally(() => clearTimeout(timer));
}

const problem = (status, error, retryAfter) => ({ status, document: { version: 1, error }, retryAfter });

const done = (request, changes = []) => answer({ request, status: 'done', changes });

function answer({ request, status, changes, error }) {
  const values = changes.map(({ agent, path, from, to }) => ({
    agent,
    path,
    from: jsonValue(from),
    to: jsonValue(to),
  }));
  return { version: 1, id: request.id, status, changes: values, error };
}

/** ABSENT and OPAQUE, which JSON cannot express, become null. */
const jsonValue = (plain) => (typeof plain === 'symbol' ? null : plain);

const oneLine = (text) =>
  text
    .slice(0, ERROR_LENGTH)
    .toWellFormed()
    .replace(/[\s\p{Cc}]+/gu, ' ');
