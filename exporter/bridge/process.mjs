import { readFileSync, readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

import { now } from './safe-access.mjs';

const RESOLUTION_MILLISECONDS = 20;
const MINUTE_MILLISECONDS = 60_000;

/** Event loop lag over the last full minute, from a histogram of perf_hooks. */
export class EventLoopLag {
  #histogram;
  #timer;
  #last;

  constructor(histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MILLISECONDS })) {
    this.#histogram = histogram;
  }

  start(window = MINUTE_MILLISECONDS) {
    this.#histogram.enable();
    this.#timer = setInterval(() => this.#rotate(), window).unref();
  }

  stop() {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  toJSON() {
    return this.#last;
  }

  #rotate() {
    const histogram = this.#histogram;
    this.#last =
      histogram.count === 0
        ? undefined
        : {
            p50: lag(histogram.percentile(50)),
            p99: lag(histogram.percentile(99)),
            max: lag(histogram.max),
            time: now(),
          };
    histogram.reset();
  }
}

/** The histogram records the time between two ticks of its timer; what exceeds the timer's period is lag. */
const lag = (nanoseconds) => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MILLISECONDS / 1000);

/** When this process started, in seconds since the epoch; it identifies the process. */
export const startTime = () => performance.timeOrigin / 1000;

export function processState(eventLoopLag) {
  const cpu = process.cpuUsage();
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  return {
    pid: process.pid,
    startTime: startTime(),
    cpu: { user: cpu.user / 1e6, system: cpu.system / 1e6 },
    memory: { rss, heapUsed, heapTotal, heapLimit: getHeapStatistics().heap_size_limit, external },
    openFds: openFds(),
    threads: threads(),
    eventLoopLag: eventLoopLag.toJSON(),
    node: process.version,
    platform: process.platform,
  };
}

function openFds() {
  try {
    return readdirSync('/proc/self/fd').length - 1; // without the one open for this listing
  } catch {
    return undefined;
  }
}

function threads() {
  try {
    return Number(/^Threads:\s*(\d+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))[1]);
  } catch {
    return undefined;
  }
}
