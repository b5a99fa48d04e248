import { Bridge } from './bridge.mjs';
import { logOnce } from './log.mjs';
import { requireSupportedNode } from './node-version.mjs';
import { readOptions } from './options.mjs';
import { isObject } from './safe-access.mjs';

// A registered symbol, shared by all copies of these files: a bot may preload one copy and import another.
const RUNNING = Symbol.for('tweetbot-exporter.bridge');

/**
 * Serves the state of an orchestrator. Never throws. Returns a handle: address() is where the bridge listens, or null;
 * detach() stops the bridge and leaves the orchestrator as it was.
 */
export function attach(orchestrator, options) {
  const bridge = attachToBridge(orchestrator, options);
  return {
    address: () => bridge?.address() ?? null,
    detach() {
      bridge?.stop();
      if (bridge && globalThis[RUNNING] === bridge) setRunning(undefined);
    },
  };
}

/** Attaches an orchestrator and returns the bridge, or undefined if it was attached before. */
export function attachOnce(orchestrator) {
  return globalThis[RUNNING]?.isAttachedTo(orchestrator) ? undefined : attachToBridge(orchestrator);
}

/** Adds an agent that belongs to no orchestrator. Never throws. */
export function addAgent(agent) {
  try {
    runningBridge().add(agent);
  } catch (error) {
    logOnce(`not attached: ${error?.message}`);
  }
}

/** Serves the process's own state, also before anything is attached. Never throws. */
export function serveProcess() {
  try {
    runningBridge();
  } catch (error) {
    logOnce(`not started: ${error?.message}`);
  }
}

export const isServed = () => globalThis[RUNNING] !== undefined;

/** Returns the process's one bridge, now attached to the orchestrator, or undefined if that fails. */
function attachToBridge(orchestrator, options) {
  try {
    if (!isObject(orchestrator)) throw new Error('attach() was called without an orchestrator');
    if (globalThis[RUNNING] && options) logOnce('already attached; these options are ignored');
    const bridge = runningBridge(options);
    bridge.attach(orchestrator);
    return bridge;
  } catch (error) {
    logOnce(`not attached: ${error?.message}`);
    return undefined;
  }
}

const runningBridge = (options) => globalThis[RUNNING] ?? startBridge(options);

function startBridge(options) {
  requireSupportedNode();
  const bridge = new Bridge(readOptions(options));
  bridge.start();
  setRunning(bridge);
  return bridge;
}

function setRunning(bridge) {
  Object.defineProperty(globalThis, RUNNING, { value: bridge, configurable: true });
}
