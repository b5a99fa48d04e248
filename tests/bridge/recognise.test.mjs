import assert from 'node:assert/strict';
import { test } from 'node:test';

import { recognise } from '../../exporter/bridge/recognise.mjs';

const CYCLE = 'executeStrategicOrchestrationCycle';

/** A meet() that counts the cycles which are about to begin, and the list of those it met. */
function reception() {
  const met = [];
  const begun = [];
  const bridge = { beginCycle: (args) => (begun.push(args), () => {}) };
  return { met, begun, meet: (orchestrator) => (met.push(orchestrator), bridge) };
}

test('an instance is met at the first method it calls, and its class is left as it was, but for the cycle', () => {
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
  const { met, begun, meet } = reception();
  recognise(Bot, meet);
  const bot = new Bot();
  assert.deepEqual(met, []);
  assert.equal(bot.state, 'state');
  assert.deepEqual([Bot.prototype.start.name, Bot.prototype.start.length], ['start', 1]);
  assert.deepEqual(bot.start(1), [bot, 1, 2]);
  assert.deepEqual(met, [bot]);
  assert.equal(Bot.prototype.start, start);
  assert.notEqual(Bot.prototype[CYCLE], cycle);
  assert.equal(bot[CYCLE](), bot);
  assert.deepEqual(begun, [], 'the bridge observes the instance by now');
});

test('an instance that begins with the cycle has it observed', () => {
  class Bot {
    [CYCLE](...args) {
      return args;
    }
  }
  const { met, begun, meet } = reception();
  recognise(Bot, meet);
  const [first, second] = [new Bot(), new Bot()];
  assert.deepEqual([first[CYCLE](1), first[CYCLE](2), second[CYCLE](3)], [[1], [2], [3]]);
  assert.deepEqual(met, [first, second]);
  assert.deepEqual(begun, [[1], [3]]);
});

test('base classes are watched down to the cycle, and no further', () => {
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
  const { met, meet } = reception();
  recognise(Base, meet);
  recognise(Bot, meet);
  recognise(Bot, meet);
  assert.equal(Root.prototype.root, root);
  const bot = new Bot();
  bot.base();
  bot.bot();
  bot[CYCLE]();
  assert.deepEqual(met, [bot]);
});

test('a class that an instance holds can be constructed', () => {
  class Bot {
    [CYCLE]() {}
  }
  class Helper {}
  Bot.prototype.Helper = Helper;
  recognise(Bot, reception().meet);
  assert.ok(new new Bot().Helper() instanceof Helper);
});

test('what is no orchestrator is left alone', () => {
  const { met, meet } = reception();
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
  for (const value of values) recognise(value, meet);
  new frozen()[CYCLE]();
  assert.equal(Other.prototype.run, run);
  assert.deepEqual(met, []);
  const orchestrator = { [CYCLE]() {}, agents: new Map() };
  recognise(orchestrator, meet);
  assert.deepEqual(met, [orchestrator]);
});

test('a reception that fails costs nothing', () => {
  class Bot {
    [CYCLE]() {
      return 'done';
    }
  }
  recognise(Bot, () => {
    throw new Error('meet');
  });
  assert.equal(new Bot()[CYCLE](), 'done');
});
