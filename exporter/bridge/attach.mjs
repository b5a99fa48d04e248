import { Bridge } from './bridge.mjs';
import { say } from './log.mjs';
import { readOptions } from './options.mjs';
import { isObject } from './safe.mjs';

// Known to every copy of these files: a bot may be started with one and import another.
const RUNNING = Symbol.for('tweetbot-exporter.bridge');

/**
 * Serves the state of an orchestrator. Never throws. Returns a handle: address() is where it listens, null while it
 * does not; detach() ends it all and leaves the orchestrator as it was.
 */
export function attach(orchestrator, options) {
  const bridge = bridgeFor(orchestrator, options);
  return {
    address: () => bridge?.address() ?? null,
    detach() {
      bridge?.stop();
      if (bridge && globalThis[RUNNING] === bridge) keep(undefined);
    },
  };
}

/** Attaches an orchestrator that was met on its way; returns the bridge if it had not been attached before. */
export function meet(orchestrator) {
  return globalThis[RUNNING]?.isAttachedTo(orchestrator) ? undefined : bridgeFor(orchestrator);
}

/** The one bridge of this process, attached to the orchestrator; undefined where there can be none. */
function bridgeFor(orchestrator, options) {
  try {
    if (!isObject(orchestrator)) throw new Error('attach() was given no orchestrator');
    if (globalThis[RUNNING] && options) say('already attached; these options are not used');
    const bridge = globalThis[RUNNING] ?? start(options);
    bridge.attach(orchestrator);
    return bridge;
  } catch (error) {
    say(`not attached: ${error?.message}`);
    return undefined;
  }
}

function start(options) {
  const bridge = new Bridge(readOptions(options));
  bridge.start();
  keep(bridge);
  return bridge;
}

function keep(bridge) {
  Object.defineProperty(globalThis, RUNNING, { value: bridge, configurable: true });
}
