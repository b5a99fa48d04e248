import { goalProgress, selfReport } from './answers.mjs';
import { say } from './log.mjs';
import { get, isObject, now } from './safe.mjs';

const LANES = 4;
const FIRST_ROUND_MILLISECONDS = 1000;
const BLOCKING_MILLISECONDS = 50;
const LONGEST_REST_MILLISECONDS = 60 * 60 * 1000;
const INTERVALS_KEPT = 3;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds).unref());

/** Asks the agents in the background, round by round, a few at a time, with unref'd timers only. */
export class Asking {
  #agents;
  #interval;
  #timeLimit;
  #timer;
  #questions = new WeakMap();

  /** `agents` gives the agents there are at the moment. Times are in milliseconds; an interval of 0 asks nothing. */
  constructor(agents, { interval, timeLimit }) {
    this.#agents = agents;
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

  goalProgressOf(agent) {
    const answer = this.#questions.get(agent)?.goals.answer(this.#interval);
    return answer && { ...answer.value, time: answer.time };
  }

  reports(agent) {
    return this.#questions.get(agent)?.report.exists ?? false;
  }

  reportOf(agent) {
    return this.#questions.get(agent)?.report.answer(this.#interval);
  }

  #schedule(delay) {
    this.#timer = setTimeout(() => this.#round(), delay).unref();
  }

  /** The pause follows the round, so that two questions to an agent are never closer than the interval. */
  async #round() {
    let asked = 0;
    try {
      const agents = this.#agents().filter(([, agent]) => isObject(agent));
      asked = agents.length;
      await Promise.all(Array.from({ length: LANES }, () => this.#lane(agents)));
    } catch {
      // the next round starts anew
    }
    if (this.#interval > 0) this.#schedule(asked > 0 ? this.#interval : FIRST_ROUND_MILLISECONDS);
  }

  async #lane(agents) {
    while (agents.length > 0 && this.#interval > 0) {
      const [id, agent] = agents.shift();
      const { goals, report } = this.#questionsTo(agent);
      await goals.ask(id, agent, this.#interval, this.#timeLimit);
      await report.ask(id, agent, this.#interval, this.#timeLimit);
      await sleep(1);
    }
  }

  #questionsTo(agent) {
    let questions = this.#questions.get(agent);
    if (!questions) {
      questions = {
        goals: new Question('evaluateGoalProgress', goalProgress),
        report: new Question('getPerformanceMetrics', selfReport),
      };
      this.#questions.set(agent, questions);
    }
    return questions;
  }
}

/**
 * One method of one agent. When no answer came in time it is left to itself, and not called again before it has
 * settled. One that held up the event loop is called less and less often.
 */
class Question {
  exists = false;
  #method;
  #digest;
  #answer;
  #pending = false;
  #held = 0;
  #restUntil = 0;

  constructor(method, digest) {
    this.#method = method;
    this.#digest = digest;
  }

  /** The last answer, unless it is older than a few intervals. */
  answer(interval) {
    const age = (now() - this.#answer?.time) * 1000;
    return age < INTERVALS_KEPT * interval + FIRST_ROUND_MILLISECONDS ? this.#answer : undefined;
  }

  async ask(id, agent, interval, timeLimit) {
    const method = get(agent, this.#method);
    this.exists = typeof method === 'function';
    if (!this.exists || this.#pending || performance.now() < this.#restUntil) return;
    this.#pending = true;
    const start = performance.now();
    const settled = new Promise((resolve) => resolve(Reflect.apply(method, agent, [])));
    let blocked = performance.now() - start;
    const answered = settled
      .then((answer) => {
        const before = performance.now();
        const value = this.#digest(answer);
        blocked += performance.now() - before;
        this.#answer = value === undefined ? undefined : { value, time: now() };
      })
      .catch(() => {})
      .finally(() => {
        this.#pending = false;
        this.#rest(id, blocked, interval);
      });
    await Promise.race([answered, sleep(timeLimit)]);
  }

  #rest(id, blocked, interval) {
    if (blocked < BLOCKING_MILLISECONDS) {
      this.#held = 0;
      return;
    }
    this.#held += 1;
    this.#restUntil = performance.now() + Math.min(interval * 2 ** this.#held, LONGEST_REST_MILLISECONDS);
    say(`${this.#method}() of ${JSON.stringify(id)} holds up the event loop: it is called less often`);
  }
}
