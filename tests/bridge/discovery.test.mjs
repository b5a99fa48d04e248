import assert from 'node:assert/strict';
import { test } from 'node:test';

import { discover } from '../../exporter/bridge/discovery.mjs';

const CYCLE = 'executeStrategicOrchestrationCycle';

/** An attach() that lists what was attached, and the arguments of the cycles that the bridge saw begin. */
function recorder() {
  const attached = [];
  const begun = [];
  const bridge = { beginCycle: (args) => (begun.push(args), () => {}) };
  return { attached, begun, attach: (orchestrator) => (attached.push(orchestrator), bridge) };
}

test('an instance is attached at the first method it calls, and its class is left as it was, but for the cycle', () => {
  class Bot {
    static make = () => new Bot();
    [CYCLE]() {
      return this;
    }
    start(a, b = 2) {
      return [this, a, b];
    }
    get state() {
      return 'state';
    }
  }
  const { start, [CYCLE]: cycle } = Bot.prototype;
  const { attached, begun, attach } = recorder();
  discover(Bot, attach);
  const bot = new Bot();
  assert.deepEqual(attached, []);
  assert.equal(bot.state, 'state');
  assert.deepEqual([Bot.prototype.start.name, Bot.prototype.start.length], ['start', 1]);
  assert.deepEqual(bot.start(1), [bot, 1, 2]);
  assert.deepEqual(attached, [bot]);
  assert.equal(Bot.prototype.start, start);
  assert.notEqual(Bot.prototype[CYCLE], cycle);
  assert.equal(bot[CYCLE](), bot);
  assert.deepEqual(begun, [], 'the bridge has wrapped the instance by now');
});

test('an instance that begins with the cycle has it wrapped', () => {
  class Bot {
    [CYCLE](...args) {
      return args;
    }
  }
  const { attached, begun, attach } = recorder();
  discover(Bot, attach);
  const [first, second] = [new Bot(), new Bot()];
  assert.deepEqual([first[CYCLE](1), first[CYCLE](2), second[CYCLE](3)], [[1], [2], [3]]);
  assert.deepEqual(attached, [first, second]);
  assert.deepEqual(begun, [[1], [3]]);
});

test('base classes are patched down to the cycle, and no further', () => {
  class Root {
    root() {}
  }
  class Base extends Root {
    [CYCLE]() {}
    base() {}
  }
  class Bot extends Base {
    bot() {}
  }
  const { root } = Root.prototype;
  const { attached, attach } = recorder();
  discover(Base, attach);
  discover(Bot, attach);
  discover(Bot, attach);
  assert.equal(Root.prototype.root, root);
  const bot = new Bot();
  bot.base();
  bot.bot();
  bot[CYCLE]();
  assert.deepEqual(attached, [bot]);
});

test('a class that an instance holds can be constructed', () => {
  class Bot {
    [CYCLE]() {}
  }
  class Helper {}
  Bot.prototype.Helper = Helper;
  discover(Bot, recorder().attach);
  assert.ok(new new Bot().Helper() instanceof Helper);
});

test('what is not an orchestrator is left alone', () => {
  const { attached, attach } = recorder();
  class Other {
    run() {}
  }
  const { run } = Other.prototype;
  const frozen = class {
    [CYCLE]() {}
  };
  Object.freeze(frozen.prototype);
  const values = [
    Other,
    frozen,
    () => {},
    null,
    5,
    {},
    { [CYCLE]: 1 },
    { [CYCLE]() {} },
    new Proxy({ [CYCLE]() {}, agents: new Map() }, {}),
  ];
  for (const value of values) discover(value, attach);
  new frozen()[CYCLE]();
  assert.equal(Other.prototype.run, run);
  assert.deepEqual(attached, []);
  const orchestrator = { [CYCLE]() {}, agents: new Map() };
  discover(orchestrator, attach);
  assert.deepEqual(attached, [orchestrator]);
});

test('an attach() that fails costs nothing', () => {
  class Bot {
    [CYCLE]() {
      return 'done';
    }
  }
  discover(Bot, () => {
    throw new Error('attach');
  });
  assert.equal(new Bot()[CYCLE](), 'done');
});
