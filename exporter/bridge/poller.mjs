import { logOnce } from './log.mjs';
import { NoiseMeter } from './noise.mjs';
import { parseGoalProgress, parseSelfReport } from './poll-results.mjs';
import { isObject, now, safeGet } from './safe-access.mjs';

const CONCURRENCY = 4;
const FIRST_ROUND_MILLISECONDS = 1000;
const BLOCKING_MILLISECONDS = 50;
const MAX_BACKOFF_MILLISECONDS = 60 * 60 * 1000;
const INTERVALS_UNTIL_STALE = 3;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds).unref());

/** Polls the agents' methods in the background, round by round, a few agents at a time, with unref'd timers only. */
export class AgentPoller {
  #agents;
  #activityOf;
  #interval;
  #timeLimit;
  #timer;
  #pollers = new WeakMap();

  /**
   * `agents()` returns the current agents as [id, agent]. Times are in milliseconds; an interval of 0 disables polling.
   * `activityOf(agent)` is the same as long as the agent has done nothing, and undefined while that cannot be said.
   */
  constructor(agents, { interval, timeLimit, activityOf = () => undefined }) {
    this.#agents = agents;
    this.#activityOf = activityOf;
    this.#interval = interval;
    this.#timeLimit = timeLimit;
  }

  start() {
    if (this.#interval > 0) this.#schedule(Math.min(FIRST_ROUND_MILLISECONDS, this.#interval));
  }

  stop() {
    this.#interval = 0;
    clearTimeout(this.#timer);
  }

  /** The agent's progress with the `time` of its result, or undefined. */
  goalProgress(agent) {
    const { goals, noise } = this.#pollers.get(agent) ?? {};
    const result = goals?.latest(this.#interval);
    return result && { ...result.value, noise: noise.toJSON(), time: result.time };
  }

  hasSelfReport(agent) {
    return this.#pollers.get(agent)?.report.exists ?? false;
  }

  /** The agent's self-report as { value, time }, or undefined. */
  selfReport(agent) {
    return this.#pollers.get(agent)?.report.latest(this.#interval);
  }

  #schedule(delay) {
    this.#timer = setTimeout(() => this.#runRound(), delay).unref();
  }

  /** The pause comes after the round, so two calls of a method are never closer than the interval. */
  async #runRound() {
    let polled = 0;
    try {
      const queue = this.#agents().filter(([, agent]) => isObject(agent));
      polled = queue.length;
      await Promise.all(Array.from({ length: CONCURRENCY }, () => this.#work(queue)));
    } catch {
      // the next round is independent of this one
    }
    if (this.#interval > 0) this.#schedule(polled > 0 ? this.#interval : FIRST_ROUND_MILLISECONDS);
  }

  async #work(queue) {
    while (queue.length > 0 && this.#interval > 0) {
      const [id, agent] = queue.shift();
      const { goals, noise, report } = this.#pollersOf(agent);
      const before = this.#activityOf(agent);
      const progress = await goals.poll(id, agent, this.#interval, this.#timeLimit);
      if (progress) noise.observe(progress, steady(before, this.#activityOf(agent)));
      await report.poll(id, agent, this.#interval, this.#timeLimit);
      await sleep(1);
    }
  }

  #pollersOf(agent) {
    let pollers = this.#pollers.get(agent);
    if (!pollers) {
      pollers = {
        noise: new NoiseMeter(),
        goals: new MethodPoller('evaluateGoalProgress', parseGoalProgress),
        report: new MethodPoller(reportMethod(agent), parseSelfReport),
      };
      this.#pollers.set(agent, pollers);
    }
    return pollers;
  }
}

/** The activity during a reading; a value of its own, unlike any other, where something was done. */
const steady = (before, after) => (before !== undefined && before === after ? before : Symbol('active'));

/** An agent that is a class of its own may tell its numbers as its state. */
const reportMethod = (agent) =>
  typeof safeGet(agent, 'getPerformanceMetrics') === 'function' ? 'getPerformanceMetrics' : 'getAgentState';

/**
 * Polls one method of one agent. A call that exceeds the time limit is abandoned, and the method is not called again
 * before that call has settled. A method that blocks the event loop is called with exponential backoff.
 */
class MethodPoller {
  exists = false;
  #method;
  #parse;
  #latest;
  #pending = false;
  #timesBlocked = 0;
  #backoffUntil = 0;

  constructor(method, parse) {
    this.#method = method;
    this.#parse = parse;
  }

  /** The latest result as { value, time }, unless it is stale. */
  latest(interval) {
    const age = (now() - this.#latest?.time) * 1000;
    return age < INTERVALS_UNTIL_STALE * interval + FIRST_ROUND_MILLISECONDS ? this.#latest : undefined;
  }

  /** Returns the answer, if it came in time. */
  async poll(id, agent, interval, timeLimit) {
    const method = safeGet(agent, this.#method);
    this.exists = typeof method === 'function';
    if (!this.exists || this.#pending || performance.now() < this.#backoffUntil) return undefined;
    this.#pending = true;
    const start = performance.now();
    const settled = new Promise((resolve) => resolve(Reflect.apply(method, agent, [])));
    let blocked = performance.now() - start;
    const finished = settled
      .then((result) => {
        const before = performance.now();
        const value = this.#parse(result);
        blocked += performance.now() - before;
        this.#latest = value === undefined ? undefined : { value, time: now() };
        return value;
      })
      .catch(() => {})
      .finally(() => {
        this.#pending = false;
        this.#backOff(id, blocked, interval);
      });
    return Promise.race([finished, sleep(timeLimit)]);
  }

  #backOff(id, blocked, interval) {
    if (blocked < BLOCKING_MILLISECONDS) {
      this.#timesBlocked = 0;
      return;
    }
    this.#timesBlocked += 1;
    const backoff = Math.min(interval * 2 ** this.#timesBlocked, MAX_BACKOFF_MILLISECONDS);
    this.#backoffUntil = performance.now() + backoff;
    logOnce(`${this.#method}() of ${JSON.stringify(id)} blocks the event loop: it is called less often`);
  }
}
