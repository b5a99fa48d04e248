import { Histogram } from './histogram.mjs';
import { AGENTS, PAIRS } from './limits.mjs';
import { agentId, safeGet, isObject, now } from './safe-access.mjs';

const LATENCY_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const CYCLE_BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

const secondsSince = (start) => (performance.now() - start) / 1000;

/**
 * Counts messages by sender and receiver. As in all counters here, begin(args) is called before the bot's method, and
 * the function it returns after it, with (succeeded, result).
 */
export class MessageCounters {
  startTime = now();
  overflowed = 0;
  #senders = new Map();
  #pairs = 0;

  begin = (args) => {
    const { pair, latency } = this.#pairOf(agentId(args[0]), agentId(args[1]));
    const start = performance.now();
    return (succeeded) => {
      if (succeeded) latency.observe(secondsSince(start));
      else pair.failed += 1;
    };
  };

  #pairOf(from, to) {
    let sender = this.#senders.get(from);
    let pair = sender?.receivers.get(to);
    if (!pair) {
      if (this.#pairs >= PAIRS && !(from === 'other' && to === 'other')) {
        this.overflowed += 1;
        return this.#pairOf('other', 'other');
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

/** Counts negotiations by agent. `agent` is the position of an argument, or a function of the arguments. */
export class NegotiationCounters {
  #agents = new Map();
  #agent;
  #isSuccess;

  constructor({ agent, succeeded }) {
    this.#agent = typeof agent === 'function' ? agent : (...args) => args[agent];
    this.#isSuccess = succeeded ?? isSuccess;
  }

  begin = (args) => {
    const counts = this.#countsOf(this.#agentOf(args));
    counts.total += 1;
    return (returned, result) => {
      if (returned && this.#isSuccess(result)) counts.succeeded += 1;
    };
  };

  #agentOf(args) {
    try {
      return agentId(this.#agent(...args));
    } catch {
      return 'unknown';
    }
  }

  #countsOf(agent) {
    const known = this.#agents.get(agent);
    if (known) return known;
    if (this.#agents.size >= AGENTS && agent !== 'other') return this.#countsOf('other');
    const counts = { total: 0, succeeded: 0 };
    this.#agents.set(agent, counts);
    return counts;
  }

  toJSON() {
    return [...this.#agents].map(([agent, counts]) => ({ agent, ...counts }));
  }
}

/** An explicit false is a failure; otherwise a call that returned counts as a success. */
function isSuccess(result) {
  const verdicts = isObject(result)
    ? ['success', 'agreed', 'accepted'].map((key) => safeGet(result, key))
    : [result];
  return !verdicts.includes(false);
}

/**
 * Counts and times the orchestrator's cycles. Bots catch the errors of their own cycles, so where the bot marks the end
 * of a complete cycle, one that settles without the mark has failed. A cycle that found the system paused was skipped:
 * it has not failed and is not timed.
 */
export class CycleCounters {
  /** Whether the bot marks the end of a complete cycle; else only one that throws or rejects has failed. */
  marksEnd = false;
  #total = 0;
  #failed = 0;
  #skipped = 0;
  #running = new Set();
  #lastStart;
  #duration = new Histogram(CYCLE_BOUNDS);

  begin = () => {
    const cycle = { complete: false, paused: false };
    this.#total += 1;
    this.#running.add(cycle);
    this.#lastStart = now();
    const start = performance.now();
    return (succeeded) => {
      this.#running.delete(cycle);
      if (succeeded && cycle.paused && !cycle.complete) {
        this.#skipped += 1;
        return;
      }
      if (!succeeded || (this.marksEnd && !cycle.complete)) this.#failed += 1;
      this.#duration.observe(secondsSince(start));
    };
  };

  /** Of cycles that overlap, the oldest gets the mark: whose it is cannot be seen, and the totals come out the same. */
  beginEndMark = () => (succeeded) => {
    const cycle = [...this.#running].find(({ complete }) => !complete);
    if (succeeded && cycle) cycle.complete = true;
  };

  /** A cycle reads the system's status first, so the newest one is the reader. */
  beginSettingRead = ([key]) => {
    const cycle = [...this.#running].at(-1);
    return (succeeded, value) => {
      if (cycle && succeeded && key === 'system_status' && value === 'paused') cycle.paused = true;
    };
  };

  get running() {
    return this.#running.size;
  }

  toJSON() {
    return {
      total: this.#total,
      failed: this.#failed,
      skipped: this.#skipped,
      running: this.running,
      completion: this.marksEnd ? 'end_mark' : 'return',
      duration: this.#duration.toJSON(),
      lastStart: this.#lastStart,
    };
  }
}
