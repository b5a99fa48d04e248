import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Bridge } from '../../exporter/bridge/bridge.mjs';
import { readOptions } from '../../exporter/bridge/options.mjs';
import { CatchingOrchestrator, FakeAgent, FakeChannel, FakeOrchestrator } from './fixtures/fakes.mjs';
import { assertValid, cpuMilliseconds, until } from './support.mjs';

const CYCLE = 'executeStrategicOrchestrationCycle';

/** A started bridge, attached where there is something to attach to. */
function bridged(context, orchestrator, options = {}) {
  const bridge = new Bridge(readOptions({ port: 0, intervalSeconds: 0.05, ...options }, {}));
  bridge.start();
  context.after(() => bridge.stop());
  if (orchestrator) bridge.attach(orchestrator);
  return bridge;
}

function revoked() {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  return proxy;
}

const documentOf = (bridge) => JSON.parse(JSON.stringify(bridge.document()));

test('cycles that fail without throwing, and those that a pause skips', async (context) => {
  const orchestrator = new CatchingOrchestrator();
  const bridge = bridged(context, orchestrator);
  await orchestrator.executeStrategicOrchestrationCycle();
  orchestrator.failing = true;
  await orchestrator.executeStrategicOrchestrationCycle();
  await orchestrator.executeStrategicOrchestrationCycle();
  orchestrator.status = 'paused';
  await orchestrator.executeStrategicOrchestrationCycle();
  const document = documentOf(bridge);
  assertValid(document);
  const { total, failed, skipped, completion, duration } = document.orchestrator.cycles;
  assert.deepEqual(
    { total, failed, skipped, completion, ended: duration.count },
    { total: 4, failed: 2, skipped: 1, completion: 'end_mark', ended: 3 },
  );
  bridge.stop();
  assert.equal(Object.hasOwn(orchestrator, 'logStrategicCycle'), false);
});

test('a progress that is random is told from one that a cycle changes', async (context) => {
  const orchestrator = new FakeOrchestrator();
  let answers = 0;
  orchestrator.add(new FakeAgent('dice', { evaluateGoalProgress: () => (answers++ % 2 ? 0.9 : 0.5) }));
  const working = new FakeAgent('working');
  working.evaluateGoalProgress = () => (working.adaptationCount++ % 2 ? 0.9 : 0.5);
  orchestrator.add(working);
  const bridge = bridged(context, orchestrator);
  const document = await until(() => {
    const shown = documentOf(bridge);
    return shown.agents[0].goalProgress?.noise?.pairs >= 3 && shown;
  }, 'readings');
  assertValid(document);
  assert.ok(document.agents[0].goalProgress.noise.medianChange > 0.39);
  assert.equal(document.agents[1].goalProgress.noise, undefined);
});

test('everything there is', async (context) => {
  const orchestrator = new FakeOrchestrator();
  orchestrator.add(
    new FakeAgent('market-hunter', {
      currentState: { isRunning: true, currentCycle: 42, lastExecutionTime: new Date(1795364412000) },
      recentDecisions: [{}, {}],
      successHistory: [true, false, { success: true }, { success: null }, 1, 0, 'yes'],
    }),
  );
  orchestrator.negotiate = async () => ({ agreed: true });
  const bridge = bridged(context, orchestrator, { negotiations: { method: 'negotiate' } });
  await orchestrator.executeStrategicOrchestrationCycle();
  await orchestrator.agentCommunicationChannel.sendMessage('market-hunter', 'content-creator', {});
  await assert.rejects(
    orchestrator.agentCommunicationChannel.sendMessage('market-hunter', 'content-creator', { failing: true }),
  );
  await assert.rejects(orchestrator.executeStrategicOrchestrationCycle(true));
  await orchestrator.negotiate('market-hunter');
  const document = await until(
    () => (documentOf(bridge).selfReports?.length > 0 ? documentOf(bridge) : undefined),
    'a report',
  );
  assertValid(document);
  const {
    agents: [agent],
    communication,
    orchestrator: part,
    selfReports: [report],
    process: own,
  } = document;
  assert.deepEqual(agent, {
    id: 'market-hunter',
    running: true,
    cycles: 42,
    lastExecutionTime: 1795364412,
    adaptations: 0,
    recentDecisions: 2,
    decisionHistory: 0,
    successHistory: { succeeded: 3, failed: 2 },
    reputation: 0.7,
    autonomy: 0.9,
    goalProgress: {
      primary: 0.75,
      secondary: 0.82,
      tactical: 0.68,
      overall: 0.75,
      time: agent.goalProgress.time,
    },
  });
  assert.deepEqual(communication.pairs, [
    { from: 'market-hunter', to: 'content-creator', sent: 2, failed: 1 },
  ]);
  assert.deepEqual(
    communication.latency.map(({ from, count }) => [from, count]),
    [['market-hunter', 1]],
  );
  assert.deepEqual(communication.negotiations, [{ agent: 'market-hunter', total: 1, succeeded: 1 }]);
  assert.equal(communication.queued, 2);
  assert.equal(part.running, true);
  assert.deepEqual([part.cycles.total, part.cycles.failed, part.cycles.duration.count], [2, 1, 2]);
  assert.deepEqual(part.performance, {
    successRate: 0.7,
    decisionQuality: 0.8,
    adaptationEffectiveness: 0.5,
  });
  assert.deepEqual(report.report, {
    totalDecisions: 12,
    successRate: 0.9,
    cacheHitRate: 0.5,
    sources: { news: 3, chain: 4 },
  });
  assert.equal(own.pid, process.pid);
  assert.ok(own.cpu.user > 0 && own.memory.rss > 1e6 && own.openFds > 2 && own.threads > 1);
  assert.ok(Math.abs(own.startTime - (Date.now() / 1000 - process.uptime())) < 1);
  assert.deepEqual(document.leftOut, { agents: 0, messages: 0, reportValues: 0, malformed: 0 });
});

test('what is missing on the bot is missing in the document', (context) => {
  const nothing = documentOf(bridged(context));
  const bare = documentOf(bridged(context, {}));
  const emptyAgent = documentOf(
    bridged(context, {
      agents: new Map([
        ['a', {}],
        ['b', null],
        ['c', 5],
      ]),
    }),
  );
  assertValid(nothing, bare, emptyAgent);
  assert.deepEqual(Object.keys(nothing), ['version', 'time', 'process', 'leftOut']);
  assert.deepEqual(bare.orchestrator, {});
  assert.deepEqual([bare.agents, bare.communication, bare.selfReports], [undefined, undefined, undefined]);
  assert.deepEqual(emptyAgent.agents, [{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
  assert.equal(emptyAgent.leftOut.malformed, 0);
});

test('values of the wrong kind are left out and counted', (context) => {
  const agent = {
    isRunning: 'yes',
    cycleCount: -1,
    lastExecutionTime: 'yesterday',
    autonomyLevel: '0.8',
    adaptationCount: 1.5,
    recentDecisions: {},
    get decisionHistory() {
      throw new Error('getter');
    },
    successHistory: 'good',
  };
  const orchestrator = {
    agents: new Map([['a', agent]]),
    agentReputations: new Map([['a', NaN]]),
    systemLearningRate: Infinity,
    isRunning: 1,
    systemPerformance: { metrics: { successRate: '0.7' } },
    agentCommunicationChannel: 'none',
  };
  const document = documentOf(bridged(context, orchestrator));
  assertValid(document);
  assert.deepEqual(document.agents, [{ id: 'a' }]);
  assert.deepEqual(document.orchestrator, {});
  assert.equal(document.leftOut.malformed, 11);
});

test('members that trap or throw cost themselves', (context) => {
  const trap = new Proxy(
    {},
    {
      get() {
        throw new Error('trap');
      },
      ownKeys() {
        throw new Error('trap');
      },
    },
  );
  const orchestrator = Object.defineProperties(
    {},
    Object.fromEntries(
      [
        'agents',
        'agentReputations',
        'agentCommunicationChannel',
        'systemPerformance',
        'isRunning',
        'messageQueue',
        CYCLE,
      ].map((name) => [
        name,
        {
          get() {
            throw new Error(name);
          },
        },
      ]),
    ),
  );
  const documents = [
    documentOf(bridged(context, orchestrator)),
    documentOf(bridged(context, trap)),
    documentOf(bridged(context, { agents: new Map([['a', trap]]), agentCommunicationChannel: trap })),
    documentOf(bridged(context, { agents: new Proxy(new Map([['a', {}]]), {}) })),
    documentOf(
      bridged(context, {
        agents: new Map([['a', revoked()]]),
        agentCommunicationChannel: { messageQueue: revoked() },
      }),
    ),
    documentOf(
      bridged(context, {
        agents: new Map([['a', { recentDecisions: revoked(), successHistory: revoked() }]]),
      }),
    ),
  ];
  assertValid(...documents);
  assert.deepEqual(documents[2].agents, [{ id: 'a' }]);
});

test('moments in every form that is certain', (context) => {
  const forms = [
    new Date(1795364412500),
    1795364412500,
    1795364412.5,
    '2026-11-22T16:20:12.500Z',
    '2026-11-22T17:20:12.500+01:00',
    '2026-11-22 16:20:12',
    0,
    42,
    new Date(NaN),
  ];
  const agents = new Map(forms.map((lastExecutionTime, index) => [`a${index}`, { lastExecutionTime }]));
  const document = documentOf(bridged(context, { agents }));
  const [certain, uncertain] = [document.agents.slice(0, 5), document.agents.slice(5)];
  for (const agent of certain) assert.equal(agent.lastExecutionTime, 1795364412.5);
  for (const agent of uncertain) assert.equal(agent.lastExecutionTime, undefined);
  assert.equal(document.leftOut.malformed, 4);
});

test('the orchestrator runs when it says so and has its interval, or a cycle under way', async (context) => {
  const running = (members) =>
    documentOf(bridged(context, { [CYCLE]: () => new Promise(() => {}), ...members })).orchestrator.running;
  assert.equal(running({}), undefined);
  assert.equal(running({ isRunning: true }), true);
  assert.equal(running({ isRunning: true, agenticCycleInterval: {} }), true);
  assert.equal(running({ isRunning: true, agenticCycleInterval: null }), false);
  assert.equal(running({ isRunning: false, agenticCycleInterval: {} }), false);
  assert.equal(running({ agenticCycleInterval: null }), false);
  const first = { isRunning: true, agenticCycleInterval: null, [CYCLE]: () => new Promise(() => {}) };
  const bridge = bridged(context, first);
  first[CYCLE]();
  assert.equal(documentOf(bridge).orchestrator.running, true);
  assert.equal(documentOf(bridge).orchestrator.cycles.running, 1);
});

test('a channel that is created late, or replaced, is found', async (context) => {
  const orchestrator = { [CYCLE]: () => orchestrator.agentCommunicationChannel.sendMessage('a', 'b') };
  const bridge = bridged(context, orchestrator);
  assert.equal(documentOf(bridge).communication, undefined);
  for (let round = 0; round < 2; round += 1) {
    orchestrator.agentCommunicationChannel = new FakeChannel();
    await orchestrator[CYCLE]();
  }
  assert.deepEqual(documentOf(bridge).communication.pairs, [{ from: 'a', to: 'b', sent: 2, failed: 0 }]);
});

test('negotiations are found on the orchestrator, on the channel, and along a path', async (context) => {
  const orchestrators = [
    ['negotiate', { negotiate: () => true }],
    ['negotiate', { agentCommunicationChannel: { sendMessage() {}, negotiate: () => true } }],
    ['resolver.negotiate', { resolver: { negotiate: () => true } }],
  ];
  for (const [method, members] of orchestrators) {
    const orchestrator = { agentCommunicationChannel: { sendMessage() {} }, ...members };
    const bridge = bridged(context, orchestrator, { negotiations: method });
    (
      orchestrator.negotiate ??
      orchestrator.resolver?.negotiate ??
      orchestrator.agentCommunicationChannel.negotiate
    )('a');
    assert.deepEqual(documentOf(bridge).communication.negotiations, [{ agent: 'a', total: 1, succeeded: 1 }]);
  }
  const without = documentOf(
    bridged(context, { agentCommunicationChannel: new FakeChannel() }, { negotiations: 'none.there' }),
  );
  assert.equal(without.communication.negotiations, undefined);
});

test('the next orchestrator takes over, the counts go on', async (context) => {
  const [first, second] = [new FakeOrchestrator('a'), new FakeOrchestrator('b')];
  const bridge = bridged(context, first);
  await first[CYCLE]();
  bridge.attach(second);
  await second[CYCLE]();
  await first[CYCLE]();
  const document = documentOf(bridge);
  assert.deepEqual(
    document.agents.map(({ id }) => id),
    ['b'],
  );
  assert.equal(document.orchestrator.cycles.total, 2);
  assert.equal(Object.hasOwn(first, CYCLE), false);
});

test('stopping restores everything', (context) => {
  const orchestrator = new FakeOrchestrator('a');
  const keys = [Reflect.ownKeys(orchestrator), Reflect.ownKeys(orchestrator.agentCommunicationChannel)];
  const bridge = bridged(context, orchestrator);
  assert.deepEqual(Object.keys(orchestrator), keys[0]);
  bridge.stop();
  assert.deepEqual(
    [Reflect.ownKeys(orchestrator), Reflect.ownKeys(orchestrator.agentCommunicationChannel)],
    keys,
  );
});

test('a bot far beyond all bounds', async (context) => {
  const orchestrator = new FakeOrchestrator();
  const numbers = Object.fromEntries(
    Array.from({ length: 200 }, (_, index) => [`\u0001${'k'.repeat(60)}${index}`.slice(0, 64), index]),
  );
  for (let index = 0; index < 3000; index += 1) {
    const id = `${'\u0002'.repeat(120)}${index}`;
    orchestrator.add(
      new FakeAgent(id, { getPerformanceMetrics: () => numbers, successHistory: new Array(5000).fill(true) }),
    );
  }
  orchestrator.agents.set('x'.repeat(200), {});
  orchestrator.agents.set(Symbol('id'), {});
  const channel = orchestrator.agentCommunicationChannel;
  const bridge = bridged(context, orchestrator, { intervalSeconds: 30 });
  const names = [...orchestrator.agents.keys()].slice(0, 1200);
  for (const name of names) channel.sendMessage(name, name, {});
  await until(() => bridge.document().selfReports?.length > 100, 'many reports');
  context.mock.method(performance, 'now', () => 0); // the time for reading the agents does not run out
  const body = bridge.body();
  const document = JSON.parse(body);
  assertValid(document);
  assert.equal(document.agents.length, 1000);
  assert.equal(document.leftOut.agents, 2002);
  assert.equal(document.communication.pairs.length, 1001);
  assert.equal(document.leftOut.messages, 200);
  assert.ok(document.leftOut.reportValues > 0);
  assert.ok(body.length < 8 * 1024 * 1024);
});

test('ten times the agents of the bound cost no more than those of the bound', (context) => {
  context.mock.method(performance, 'now', () => 0);
  const successHistory = new Array(5000).fill(true);
  const cost = (count) => {
    const agents = Array.from({ length: count }, (_, index) => [`a${index}`, { successHistory }]);
    const bridge = bridged(context, { agents: new Map(agents) }, { intervalSeconds: 0 });
    return cpuMilliseconds(() => JSON.stringify(bridge.document()));
  };
  const [full, beyond] = [cost(1000), cost(10_000)];
  assert.ok(beyond < 3 * full, `${beyond} ms, ${full} ms for 1000`);
});

test('slow getters do not add up', (context) => {
  let time = 0;
  context.mock.method(performance, 'now', () => time);
  const slow = {
    get isRunning() {
      time += 10;
      return true;
    },
  };
  const orchestrator = { agents: new Map(Array.from({ length: 500 }, (_, index) => [`a${index}`, slow])) };
  const document = documentOf(bridged(context, orchestrator));
  assert.equal(document.agents.length, 6, 'those that begin within 50 ms');
  assert.equal(document.leftOut.agents, 494);
});

test('a document is built at most once a second', (context) => {
  let time = 0;
  context.mock.method(performance, 'now', () => time);
  let reads = 0;
  const orchestrator = {
    get agents() {
      reads += 1;
      return new Map();
    },
  };
  const bridge = bridged(context, orchestrator, { intervalSeconds: 0 });
  const first = bridge.body();
  const readsOfOne = reads;
  for (time = 0; time <= 1000; time += 10) assert.equal(bridge.body(), first);
  assert.equal(reads, readsOfOne);
  time = 1001;
  assert.notEqual(bridge.body(), first);
});
