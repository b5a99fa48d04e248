import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NoiseMeter } from '../../exporter/bridge/noise.mjs';

function measured(readings) {
  const meter = new NoiseMeter();
  for (const [values, activity] of readings) meter.observe(values, activity);
  return meter.toJSON();
}

test('a value that stays has no noise, one that moves by itself has', () => {
  assert.deepEqual(measured([1, 2, 3].map(() => [{ overall: 0.7 }, 'idle'])), { pairs: 2, medianChange: 0 });
  const dice = [0.5, 0.75, 0.5, 1].map((overall) => [{ overall }, 'idle']);
  assert.deepEqual(measured(dice), { pairs: 3, medianChange: 0.25 });
});

test('a change while something was done is none', () => {
  const readings = [0.1, 0.5, 0.9].map((overall, index) => [{ overall }, `cycle ${index}`]);
  assert.equal(measured(readings), undefined);
});

test('one leap is no noise', () => {
  const readings = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9].map((overall) => [{ overall }, 'idle']);
  assert.deepEqual(measured(readings), { pairs: 5, medianChange: 0 });
});

test('percent is read as a ratio, and the goal that moves most counts', () => {
  const readings = [
    [{ primary: 50, overall: 60 }, 'idle'],
    [{ primary: 75, overall: 60, tactical: 1 }, 'idle'],
  ];
  assert.deepEqual(measured(readings), { pairs: 1, medianChange: 0.25 });
  assert.equal(measured([[{ overall: -5 }, 'idle'], [{ overall: 500 }, 'idle']]), undefined);
});

test('only the newest count', () => {
  const moving = Array.from({ length: 50 }, (_, index) => [{ overall: index % 2 }, 'idle']);
  const still = Array.from({ length: 21 }, () => [{ overall: 1 }, 'idle']);
  assert.deepEqual(measured([...moving, ...still]), { pairs: 20, medianChange: 0 });
});
