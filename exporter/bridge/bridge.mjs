import { Actions } from './actions.mjs';
import { eachAgent, readAgents } from './agents.mjs';
import { Asking } from './asking.mjs';
import { Cycles, Messages, Negotiations } from './calls.mjs';
import { DOCUMENT_AGE_MILLISECONDS, DOCUMENT_BYTES, REPORT_VALUES_TOTAL } from './limits.mjs';
import { MethodWatch } from './observe.mjs';
import { EventLoopLag, processState } from './process.mjs';
import { Reader, get, now } from './safe.mjs';
import { BridgeServer } from './server.mjs';

export const CYCLE = 'executeStrategicOrchestrationCycle';

function attempt(part) {
  try {
    return part();
  } catch {
    return undefined;
  }
}

/** Watches one orchestrator at a time, and serves what it sees. */
export class Bridge {
  #orchestrator;
  #messages = new Messages();
  #cycles = new Cycles();
  #negotiations;
  #negotiationPath;
  #watches;
  #lag = new EventLoopLag();
  #asking;
  #server;
  #body;
  #bodyTime = -Infinity;

  constructor(options) {
    if (options.negotiations) {
      this.#negotiations = new Negotiations(options.negotiations);
      this.#negotiationPath = options.negotiations.method.split('.');
    }
    this.#watches = {
      cycle: new MethodWatch(this.beginCycle),
      channel: new MethodWatch(this.#messages.begin),
      negotiations: new MethodWatch(this.#negotiations?.begin),
    };
    this.#asking = new Asking(() => this.#agents(), {
      interval: options.intervalSeconds * 1000,
      timeLimit: options.timeLimitSeconds * 1000,
    });
    const actions = options.actions && new Actions(options.actions, () => this.#orchestrator);
    this.#server = new BridgeServer(options, {
      state: () => this.body(),
      act: (bytes, wait) => actions.answer(bytes, wait),
    });
  }

  start() {
    this.#lag.start();
    this.#asking.start();
    this.#server.start();
  }

  stop() {
    this.#server.stop();
    this.#asking.stop();
    this.#lag.stop();
    for (const watch of Object.values(this.#watches)) watch.stop();
    this.#orchestrator = undefined;
  }

  /** The counts go on when another orchestrator takes the place of the one before. */
  attach(orchestrator) {
    this.#orchestrator = orchestrator;
    this.#watches.cycle.on(orchestrator, CYCLE);
    this.#look();
  }

  isAttachedTo(orchestrator) {
    return this.#orchestrator === orchestrator;
  }

  address() {
    return this.#server.address();
  }

  beginCycle = () => {
    this.#look();
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
    const document = { version: 1, time: now(), process: processState(this.#lag) };
    const reader = new Reader();
    const leftOut = { agents: 0, messages: this.#messages.overflowed, reportValues: 0 };
    if (this.#orchestrator) {
      attempt(() => this.#look());
      document.orchestrator = attempt(() => this.#orchestratorState(reader)) ?? {};
      document.agents = attempt(() => this.#agentStates(reader, leftOut));
      document.communication = attempt(() => this.#communicationState(reader));
      document.selfReports = attempt(() => this.#selfReports(leftOut));
    }
    document.leftOut = { ...leftOut, malformed: reader.malformed };
    return document;
  }

  /** The bot may make its channel late, or make a new one. */
  #look() {
    const channel = get(this.#orchestrator, 'agentCommunicationChannel');
    this.#watches.channel.on(channel, 'sendMessage');
    if (this.#negotiations) this.#lookForNegotiations(channel);
  }

  #lookForNegotiations(channel) {
    const holders = this.#negotiationPath.slice(0, -1);
    const name = this.#negotiationPath.at(-1);
    const holder = holders.reduce(get, this.#orchestrator);
    const elsewhere = holders.length === 0 && typeof get(holder, name) !== 'function';
    this.#watches.negotiations.on(elsewhere ? channel : holder, name);
  }

  #agents() {
    return this.#orchestrator ? [...eachAgent(this.#orchestrator, new Reader())] : [];
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
      cycles: this.#watches.cycle.watching ? this.#cycles : undefined,
      learningRate: reader.number(reader.get(orchestrator, 'systemLearningRate')),
      performance: Object.values(performance).some((value) => value !== undefined) ? performance : undefined,
    };
  }

  /** The interval is set only after the first cycle has ended. */
  #running(reader) {
    const flag = reader.flag(reader.get(this.#orchestrator, 'isRunning'));
    const interval = get(this.#orchestrator, 'agenticCycleInterval');
    if (flag === undefined && interval === undefined) return undefined;
    return flag !== false && (interval !== null || this.#cycles.running > 0);
  }

  #agentStates(reader, leftOut) {
    const agents = readAgents(this.#orchestrator, reader, (agent) => this.#asking.goalProgressOf(agent));
    if (agents) leftOut.agents = agents.known - agents.list.length;
    return agents?.list;
  }

  #communicationState(reader) {
    if (!this.#watches.channel.watching) return undefined;
    const channel = get(this.#orchestrator, 'agentCommunicationChannel');
    return {
      startTime: this.#messages.startTime,
      pairs: this.#messages.pairs,
      latency: this.#messages.latency,
      negotiations: this.#watches.negotiations.watching ? this.#negotiations : undefined,
      queued: reader.length(reader.get(channel, 'messageQueue')),
    };
  }

  #selfReports(leftOut) {
    const reporting = this.#agents().filter(([, agent]) => this.#asking.reports(agent));
    if (reporting.length === 0) return undefined;
    let room = REPORT_VALUES_TOTAL;
    return reporting.flatMap(([id, agent]) => {
      const answer = this.#asking.reportOf(agent);
      if (!answer) return [];
      const { report, values, leftOut: cut } = answer.value;
      leftOut.reportValues += cut;
      if (values > room) {
        leftOut.reportValues += values;
        return [];
      }
      room -= values;
      return [{ agent: id, time: answer.time, report }];
    });
  }
}
