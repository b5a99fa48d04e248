import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EventLoopLag } from '../../exporter/bridge/process.mjs';
import { sleep } from './support.mjs';

test('event loop lag is that of the last full window, however often it is read', async (context) => {
  const lag = new EventLoopLag();
  lag.start(600);
  context.after(() => lag.stop());
  await sleep(100);
  assert.equal(lag.toJSON(), undefined);
  for (const end = performance.now() + 200; performance.now() < end;);
  await sleep(400);
  const first = lag.toJSON();
  assert.ok(first.max > 0.15 && first.max < 0.4, `max ${first.max}`);
  assert.ok(first.p50 >= 0 && first.p50 < 0.05, `p50 ${first.p50}`);
  assert.ok(first.p50 <= first.p99 && first.p99 <= first.max);
  assert.deepEqual(lag.toJSON(), first);
  await sleep(600);
  assert.ok(lag.toJSON().max < first.max);
});
