import { Histogram } from './histogram.mjs';
import { AGENTS, PAIRS } from './limits.mjs';
import { agentId, get, isObject, now } from './safe.mjs';

const LATENCY_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const CYCLE_BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

const secondsSince = (start) => (performance.now() - start) / 1000;

/** Messages by sender and receiver. */
export class Messages {
  startTime = now();
  overflowed = 0;
  #senders = new Map();
  #pairs = 0;

  begin = (args) => {
    const { pair, latency } = this.#count(agentId(args[0]), agentId(args[1]));
    const start = performance.now();
    return (succeeded) => {
      if (succeeded) latency.observe(secondsSince(start));
      else pair.failed += 1;
    };
  };

  #count(from, to) {
    let sender = this.#senders.get(from);
    let pair = sender?.receivers.get(to);
    if (!pair) {
      if (this.#pairs >= PAIRS && !(from === 'other' && to === 'other')) {
        this.overflowed += 1;
        return this.#count('other', 'other');
      }
      pair = { sent: 0, failed: 0 };
      sender ??= { latency: new Histogram(LATENCY_BOUNDS), receivers: new Map() };
      sender.receivers.set(to, pair);
      this.#senders.set(from, sender);
      this.#pairs += 1;
    }
    pair.sent += 1;
    return { pair, latency: sender.latency };
  }

  get pairs() {
    return [...this.#senders].flatMap(([from, { receivers }]) =>
      [...receivers].map(([to, counts]) => ({ from, to, ...counts })),
    );
  }

  get latency() {
    return [...this.#senders].map(([from, { latency }]) => ({ from, ...latency.toJSON() }));
  }
}

/** Negotiations by agent. `agent` is an argument's position or a function of the arguments. */
export class Negotiations {
  #agents = new Map();
  #agent;
  #succeeded;

  constructor({ agent, succeeded }) {
    this.#agent = typeof agent === 'function' ? agent : (...args) => args[agent];
    this.#succeeded = succeeded ?? agreed;
  }

  begin = (args) => {
    const counts = this.#of(this.#name(args));
    counts.total += 1;
    return (returned, result) => {
      if (returned && this.#succeeded(result)) counts.succeeded += 1;
    };
  };

  #name(args) {
    try {
      return agentId(this.#agent(...args));
    } catch {
      return 'unknown';
    }
  }

  #of(agent) {
    const known = this.#agents.get(agent);
    if (known) return known;
    if (this.#agents.size >= AGENTS && agent !== 'other') return this.#of('other');
    const counts = { total: 0, succeeded: 0 };
    this.#agents.set(agent, counts);
    return counts;
  }

  toJSON() {
    return [...this.#agents].map(([agent, counts]) => ({ agent, ...counts }));
  }
}

/** A result that says no is taken at its word; where it says nothing, that the call came back is all there is. */
function agreed(result) {
  const verdicts = isObject(result)
    ? ['success', 'agreed', 'accepted'].map((key) => get(result, key))
    : [result];
  return !verdicts.includes(false);
}

/** The orchestrator's cycles. */
export class Cycles {
  #total = 0;
  #failed = 0;
  #running = 0;
  #lastStart;
  #duration = new Histogram(CYCLE_BOUNDS);

  begin = () => {
    this.#total += 1;
    this.#running += 1;
    this.#lastStart = now();
    const start = performance.now();
    return (succeeded) => {
      this.#running -= 1;
      if (!succeeded) this.#failed += 1;
      this.#duration.observe(secondsSince(start));
    };
  };

  get running() {
    return this.#running;
  }

  toJSON() {
    return {
      total: this.#total,
      failed: this.#failed,
      running: this.#running,
      duration: this.#duration.toJSON(),
      lastStart: this.#lastStart,
    };
  }
}
