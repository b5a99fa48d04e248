import { BusyError, RefusedError } from './calling.mjs';
import { prepare } from './deeds.mjs';
import { ACTIONS_PER_MINUTE, ACTIONS_REMEMBERED, CHANGES_REMEMBERED, ERROR_LENGTH } from './limits.mjs';
import { startTime } from './process.mjs';
import { readRequest } from './requests.mjs';

const MINUTE_MILLISECONDS = 60_000;

/**
 * Carries out actions on the orchestrator that there is: one at a time, and each id once. One that takes longer than
 * the limit lets others begin, but none on what it still works on.
 */
export class Actions {
  #allowed;
  #timeLimit;
  #orchestrator;
  #remembered = new Map();
  #changesRemembered = 0;
  #running = false;
  #begun = [];

  /** `orchestrator` gives the one that is attached at the moment. */
  constructor({ allowed, timeLimitSeconds }, orchestrator) {
    this.#allowed = allowed;
    this.#timeLimit = timeLimitSeconds * 1000;
    this.#orchestrator = orchestrator;
  }

  /** What a request's body is answered with, after `wait` milliseconds at most: { status, document, retryAfter }. */
  async answer(bytes, wait) {
    let request;
    try {
      request = readRequest(bytes);
    } catch (error) {
      return problem(400, error.message);
    }
    if (request.botStart !== startTime()) return problem(409, 'botStart is of another process');
    const text = JSON.stringify(request);
    const known = this.#remembered.get(request.id);
    if (known && known.text !== text) return problem(400, `${request.id} was the id of another request`);
    let action;
    try {
      action = known ?? this.#begin(request, text);
    } catch (error) {
      if (error instanceof BusyError) return problem(429, error.message, error.retryAfter);
      throw error;
    }
    await endsWithin(wait, action.ended);
    return { status: action.status === 'running' ? 202 : 200, document: told(action) };
  }

  /** Throws BusyError, and then the id is still free. */
  #begin(request, text) {
    this.#expectTurn();
    const earlier = this.#remembered.get(request.restores);
    const deed = this.#prepare(request, earlier);
    const action = { request, text, status: 'running', changes: [], error: undefined, restored: false };
    this.#running = true;
    this.#begun.push(performance.now());
    this.#remembered.set(request.id, action);
    action.ended = this.#carryOut(action, deed, earlier);
    const next = () => {
      this.#running = false;
    };
    endsWithin(this.#timeLimit, action.ended).then(next, next);
    return action;
  }

  #expectTurn() {
    if (this.#running) throw new BusyError('another action is running', 1);
    const time = performance.now();
    this.#begun = this.#begun.filter((begun) => time - begun < MINUTE_MILLISECONDS);
    if (this.#begun.length < ACTIONS_PER_MINUTE) return;
    const seconds = Math.ceil((MINUTE_MILLISECONDS - (time - this.#begun[0])) / 1000);
    throw new BusyError(`no more than ${ACTIONS_PER_MINUTE} actions a minute`, seconds);
  }

  /** What is refused is an action, too: its answer is remembered. */
  #prepare(request, earlier) {
    try {
      if (!this.#allows(request.action)) throw new RefusedError(`${request.action} is not allowed`);
      return prepare(request, this.#orchestrator(), earlier);
    } catch (error) {
      if (error instanceof BusyError) throw error;
      return { run: () => Promise.reject(error), changes: () => [] };
    }
  }

  /** Who may do something may take it back. */
  #allows(action) {
    if (action === 'restore' || this.#allowed.includes(action)) return true;
    return action === 'resume' && this.#allowed.includes('pause');
  }

  async #carryOut(action, deed, earlier) {
    try {
      await deed.run();
      action.status = 'done';
      if (earlier) earlier.restored = true;
    } catch (error) {
      action.status = error instanceof RefusedError ? 'refused' : 'failed';
      action.error = oneLine(error.message);
    }
    action.changes = deed.changes();
    if (this.#remembered.get(action.request.id) !== action) return;
    this.#changesRemembered += action.changes.length;
    this.#forget();
  }

  #forget() {
    while (this.#remembered.size > ACTIONS_REMEMBERED || this.#changesRemembered > CHANGES_REMEMBERED) {
      const [[id, oldest]] = this.#remembered;
      this.#remembered.delete(id);
      this.#changesRemembered -= oldest.changes.length;
    }
  }
}

/** Whether a promise is fulfilled in time; rejects as it does. */
function endsWithin(milliseconds, promise) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds, false).unref();
  });
  return Promise.race([promise.then(() => true), late]).finally(() => clearTimeout(timer));
}

const problem = (status, error, retryAfter) => ({ status, document: { version: 1, error }, retryAfter });

function told({ request, status, changes, error }) {
  const values = changes.map(({ agent, path, from, to }) => ({
    agent,
    path,
    from: value(from),
    to: value(to),
  }));
  return { version: 1, id: request.id, status, changes: values, error };
}

/** What JSON cannot tell is null, as is what is not there. */
const value = (plain) => (typeof plain === 'symbol' ? null : plain);

const oneLine = (text) =>
  text
    .slice(0, ERROR_LENGTH)
    .toWellFormed()
    .replace(/[\s\p{Cc}]+/gu, ' ');
