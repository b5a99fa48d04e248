// node --import <path>/register.mjs bot.js
import Module from 'node:module';
import { isMainThread } from 'node:worker_threads';

import { meet } from './attach.mjs';
import { say } from './log.mjs';
import { mimic } from './observe.mjs';
import { recognise } from './recognise.mjs';
import { announceClass, announceLoaded, mentionsCycle } from './rewrite.mjs';
import { get } from './safe.mjs';

function judge(value) {
  try {
    recognise(value, meet);
  } catch {
    // in doubt, nothing
  }
}

function hookEsModules() {
  if (Module.registerHooks) {
    Module.registerHooks({ load: (url, context, nextLoad) => announceLoaded(nextLoad(url, context)) });
  } else {
    Module.register('./hooks.mjs', import.meta.url);
  }
}

/** Not by the load hook: a CommonJS source that a hook returns is run without the require and the module it knows. */
function hookCommonJs() {
  const compile = Module.prototype._compile;
  Module.prototype._compile = mimic(function (content, ...rest) {
    if (typeof content !== 'string' || !mentionsCycle(content))
      return Reflect.apply(compile, this, [content, ...rest]);
    const result = Reflect.apply(compile, this, [announceClass(content), ...rest]);
    judge(this.exports);
    judge(get(this.exports, 'default'));
    return result;
  }, compile);
}

const RECOGNISE = Symbol.for('tweetbot-exporter.bridge.recognise');

try {
  if (isMainThread && !globalThis[RECOGNISE]) {
    Object.defineProperty(globalThis, RECOGNISE, { value: judge });
    hookEsModules();
    hookCommonJs();
  }
} catch (error) {
  say(`not registered: ${error?.message}`);
}
