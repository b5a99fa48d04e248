// node --import <path>/register.mjs bot.js
import Module from 'node:module';
import { isMainThread } from 'node:worker_threads';

import { addAgent, attachOnce } from './attach.mjs';
import { discover } from './discovery.mjs';
import { logOnce } from './log.mjs';
import { requireSupportedNode } from './node-version.mjs';
import { safeGet } from './safe-access.mjs';
import { instrumentClass, mentionsMarker, transformLoaded } from './transform.mjs';
import { watchProcess } from './watch.mjs';
import { mimicFunction } from './wrap.mjs';

function discoverSafely(value) {
  try {
    discover(value, attachOnce, addAgent);
  } catch {
    // a value that cannot be inspected is neither an orchestrator nor an agent
  }
}

function hookEsModules() {
  if (Module.registerHooks) {
    Module.registerHooks({ load: (url, context, nextLoad) => transformLoaded(nextLoad(url, context)) });
  } else {
    Module.register('./loader-hooks.mjs', import.meta.url);
  }
}

/** Not through a load hook: CommonJS source returned by a hook runs without its usual `require` and `module`. */
function hookCommonJs() {
  const compile = Module.prototype._compile;
  Module.prototype._compile = mimicFunction(function (content, ...rest) {
    if (typeof content !== 'string' || !mentionsMarker(content))
      return Reflect.apply(compile, this, [content, ...rest]);
    const result = Reflect.apply(compile, this, [instrumentClass(content), ...rest]);
    discoverSafely(this.exports);
    discoverSafely(safeGet(this.exports, 'default'));
    return result;
  }, compile);
}

const DISCOVER = Symbol.for('tweetbot-exporter.bridge.discover');

try {
  requireSupportedNode();
  if (isMainThread && !globalThis[DISCOVER]) {
    Object.defineProperty(globalThis, DISCOVER, { value: discoverSafely });
    hookEsModules();
    hookCommonJs();
    watchProcess();
  }
} catch (error) {
  logOnce(`not registered: ${error?.message}`);
}
