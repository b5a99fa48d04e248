import { ActionExecutor } from './action-executor.mjs';
import { agentName, eachAgent, readAgent, readAgents } from './agents.mjs';
import { CycleCounters, MessageCounters, NegotiationCounters } from './counters.mjs';
import { openDatabases } from './databases.mjs';
import { AGENTS, DOCUMENT_AGE_MILLISECONDS, DOCUMENT_BYTES, REPORT_VALUES_TOTAL } from './limits.mjs';
import { AgentPoller } from './poller.mjs';
import { EventLoopLag, processState } from './process.mjs';
import { ValueReader, now, safeGet } from './safe-access.mjs';
import { BridgeServer } from './server.mjs';
import { CYCLE } from './transform.mjs';
import { MethodWrapper } from './wrap.mjs';

/** The bot calls it at the end of a complete cycle, and only there. */
const END_MARK = 'logStrategicCycle';

function attempt(build) {
  try {
    return build();
  } catch {
    return undefined;
  }
}

/** Observes one orchestrator at a time, and agents outside of it, and serves the state of the process. */
export class Bridge {
  #orchestrator;
  #agentsOfTheirOwn = new Map();
  #processName;
  #messages = new MessageCounters();
  #cycles = new CycleCounters();
  #negotiations;
  #negotiationPath;
  #wrappers;
  #lag = new EventLoopLag();
  #poller;
  #server;
  #body;
  #bodyTime = -Infinity;

  /** `timeouts` are those of BridgeServer. */
  constructor(options, timeouts) {
    if (options.negotiations) {
      this.#negotiations = new NegotiationCounters(options.negotiations);
      this.#negotiationPath = options.negotiations.method.split('.');
    }
    this.#wrappers = {
      cycle: new MethodWrapper(this.beginCycle),
      endMark: new MethodWrapper(this.#cycles.beginEndMark),
      settings: new MethodWrapper(this.#cycles.beginSettingRead),
      channel: new MethodWrapper(this.#messages.begin),
      negotiations: new MethodWrapper(this.#negotiations?.begin),
    };
    this.#processName = options.processName;
    this.#poller = new AgentPoller(() => this.#agents(), {
      interval: options.intervalSeconds * 1000,
      timeLimit: options.timeLimitSeconds * 1000,
      activityOf: (agent) => this.#activityOf(agent),
    });
    const actions = options.actions && new ActionExecutor(options.actions, () => this.#orchestrator);
    const handlers = {
      renderState: () => this.body(),
      handleAction: (bytes, wait) => actions.handle(bytes, wait),
    };
    this.#server = new BridgeServer(options, handlers, timeouts);
  }

  start() {
    this.#lag.start();
    this.#poller.start();
    this.#server.start();
  }

  stop() {
    this.#server.stop();
    this.#poller.stop();
    this.#lag.stop();
    for (const wrapper of Object.values(this.#wrappers)) wrapper.unwrap();
    this.#orchestrator = undefined;
  }

  /** The counters continue when another orchestrator replaces the current one. */
  attach(orchestrator) {
    this.#orchestrator = orchestrator;
    this.#wrappers.cycle.wrap(orchestrator, CYCLE);
    this.#wrappers.endMark.wrap(orchestrator, END_MARK);
    this.#cycles.marksEnd = this.#wrappers.endMark.isActive;
    this.#wrapParts();
  }

  /** Adds an agent that may belong to no orchestrator. Of two with one name the later one is observed. */
  add(agent) {
    const name = agentName(agent);
    if (this.#agentsOfTheirOwn.size < AGENTS || this.#agentsOfTheirOwn.has(name)) {
      this.#agentsOfTheirOwn.set(name, agent);
    }
  }

  isAttachedTo(orchestrator) {
    return this.#orchestrator === orchestrator;
  }

  address() {
    return this.#server.address();
  }

  beginCycle = () => {
    this.#wrapParts();
    return this.#cycles.begin();
  };

  /** The document's bytes, at most a second old. */
  body() {
    if (performance.now() - this.#bodyTime > DOCUMENT_AGE_MILLISECONDS) {
      this.#body = this.#encode();
      this.#bodyTime = performance.now();
    }
    return this.#body;
  }

  #encode() {
    const document = this.document();
    const body = Buffer.from(JSON.stringify(document));
    if (body.length <= DOCUMENT_BYTES) return body;
    delete document.selfReports;
    return Buffer.from(JSON.stringify(document));
  }

  document() {
    const process = { name: this.#processName, ...processState(this.#lag), databases: openDatabases() };
    const document = { version: 1, time: now(), process };
    const reader = new ValueReader();
    const leftOut = { agents: 0, messages: this.#messages.overflowed, reportValues: 0 };
    if (this.#orchestrator) {
      attempt(() => this.#wrapParts());
      document.orchestrator = attempt(() => this.#orchestratorState(reader)) ?? {};
      document.communication = attempt(() => this.#communicationState(reader));
    }
    document.agents = attempt(() => this.#agentStates(reader, leftOut));
    document.selfReports = attempt(() => this.#selfReports(leftOut));
    document.leftOut = { ...leftOut, malformed: reader.malformed };
    return document;
  }

  /** Repeated, since the bot may create its channel and its database late, or replace them. */
  #wrapParts() {
    this.#wrappers.settings.wrap(safeGet(this.#orchestrator, 'db'), 'getSystemConfig');
    const channel = safeGet(this.#orchestrator, 'agentCommunicationChannel');
    this.#wrappers.channel.wrap(channel, 'sendMessage');
    if (this.#negotiations) this.#wrapNegotiations(channel);
  }

  #wrapNegotiations(channel) {
    const holders = this.#negotiationPath.slice(0, -1);
    const name = this.#negotiationPath.at(-1);
    const holder = holders.reduce(safeGet, this.#orchestrator);
    const isOnChannel = holders.length === 0 && typeof safeGet(holder, name) !== 'function';
    this.#wrappers.negotiations.wrap(isOnChannel ? channel : holder, name);
  }

  /** Undefined during a cycle. */
  #activityOf(agent) {
    const { total, running } = this.#cycles.toJSON();
    if (running > 0) return undefined;
    const { cycles, lastExecutionTime, adaptations, decisionHistory } = readAgent(agent, new ValueReader());
    return JSON.stringify([total, cycles, lastExecutionTime, adaptations, decisionHistory]);
  }

  #agents() {
    return [...eachAgent(this.#orchestrator, new ValueReader()), ...this.#otherAgents()];
  }

  /** Those that are in no orchestrator's map, neither themselves nor under their name. */
  #otherAgents() {
    if (this.#agentsOfTheirOwn.size === 0) return [];
    const agents = [...eachAgent(this.#orchestrator, new ValueReader())];
    const known = new Set(agents.flatMap(([id, agent]) => [id, agent]));
    return [...this.#agentsOfTheirOwn].filter(([id, agent]) => !known.has(id) && !known.has(agent));
  }

  #orchestratorState(reader) {
    const orchestrator = this.#orchestrator;
    const metrics = reader.get(reader.get(orchestrator, 'systemPerformance'), 'metrics');
    const performance = {
      successRate: reader.number(reader.get(metrics, 'successRate')),
      decisionQuality: reader.number(reader.get(metrics, 'decisionQuality')),
      adaptationEffectiveness: reader.number(reader.get(metrics, 'adaptationEffectiveness')),
    };
    return {
      running: this.#running(reader),
      cycles: this.#wrappers.cycle.isActive ? this.#cycles : undefined,
      learningRate: reader.number(reader.get(orchestrator, 'systemLearningRate')),
      performance: Object.values(performance).some((value) => value !== undefined) ? performance : undefined,
    };
  }

  /** The bot sets its interval only after the first cycle has ended. */
  #running(reader) {
    const flag = reader.flag(reader.get(this.#orchestrator, 'isRunning'));
    const interval = safeGet(this.#orchestrator, 'agenticCycleInterval');
    if (flag === undefined && interval === undefined) return undefined;
    return flag !== false && (interval !== null || this.#cycles.running > 0);
  }

  #agentStates(reader, leftOut) {
    const others = this.#otherAgents();
    const agents = readAgents(this.#orchestrator, others, reader, (agent) => this.#poller.goalProgress(agent));
    if (agents) leftOut.agents = agents.total - agents.list.length;
    return agents?.list;
  }

  #communicationState(reader) {
    if (!this.#wrappers.channel.isActive) return undefined;
    const channel = safeGet(this.#orchestrator, 'agentCommunicationChannel');
    return {
      startTime: this.#messages.startTime,
      pairs: this.#messages.pairs,
      latency: this.#messages.latency,
      negotiations: this.#wrappers.negotiations.isActive ? this.#negotiations : undefined,
      queued: reader.length(reader.get(channel, 'messageQueue')),
    };
  }

  #selfReports(leftOut) {
    const reporting = this.#agents().filter(([, agent]) => this.#poller.hasSelfReport(agent));
    if (reporting.length === 0) return undefined;
    let budget = REPORT_VALUES_TOTAL;
    return reporting.flatMap(([id, agent]) => {
      const result = this.#poller.selfReport(agent);
      if (!result) return [];
      const { report, values, leftOut: omitted } = result.value;
      leftOut.reportValues += omitted;
      if (values > budget) {
        leftOut.reportValues += values;
        return [];
      }
      budget -= values;
      return [{ agent: id, time: result.time, report }];
    });
  }
}
