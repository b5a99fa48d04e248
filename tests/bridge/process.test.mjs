import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';

import { EventLoopLag } from '../../exporter/bridge/process.mjs';
import { sleep, until } from './support.mjs';

/** A histogram of event loop delays whose every value is the given one, in milliseconds. */
class FakeHistogram {
  enabled = false;
  resets = 0;
  #milliseconds;

  set(milliseconds) {
    this.#milliseconds = milliseconds;
  }

  enable() {
    this.enabled = true;
  }

  disable() {
    this.enabled = false;
  }

  reset() {
    this.resets += 1;
    this.#milliseconds = undefined;
  }

  get count() {
    return this.#milliseconds === undefined ? 0 : 1000;
  }

  get max() {
    return this.#milliseconds.max * 1e6;
  }

  percentile(rank) {
    return this.#milliseconds[`p${rank}`] * 1e6;
  }
}

test('event loop lag is that of the last full minute, however often it is read', (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const histogram = new FakeHistogram();
  const lag = new EventLoopLag(histogram);
  lag.start();
  assert.ok(histogram.enabled);
  histogram.set({ p50: 20, p99: 45, max: 220 });
  context.mock.timers.tick(59_999);
  assert.equal(lag.toJSON(), undefined);
  context.mock.timers.tick(1);
  const first = lag.toJSON();
  const { p50, p99, max, time } = first;
  assert.equal(p50, 0, "the timer's own 20 ms are no lag");
  assert.deepEqual([p99.toFixed(6), max.toFixed(6)], ['0.025000', '0.200000']);
  assert.ok(Math.abs(time - Date.now() / 1000) < 60);
  assert.equal(histogram.resets, 1);
  histogram.set({ p50: 19, p99: 21, max: 30 });
  assert.equal(lag.toJSON(), first);
  context.mock.timers.tick(60_000);
  assert.equal(lag.toJSON().max.toFixed(6), '0.010000');
  assert.equal(lag.toJSON().p50, 0, 'a tick that came early is no negative lag');
  context.mock.timers.tick(60_000);
  assert.equal(lag.toJSON(), undefined, 'nothing was recorded in that minute');
  lag.stop();
  assert.ok(!histogram.enabled);
});

test('a blocked event loop is measured', async (context) => {
  const lag = new EventLoopLag(monitorEventLoopDelay({ resolution: 20 }));
  lag.start(500);
  context.after(() => lag.stop());
  await sleep(100);
  for (const end = performance.now() + 200; performance.now() < end;);
  const blocked = () => (lag.toJSON()?.max > 0.15 ? lag.toJSON() : undefined);
  const { p50, p99, max } = await until(blocked, 'the end of the window');
  assert.ok(0 <= p50 && p50 <= p99 && p99 <= max);
});
