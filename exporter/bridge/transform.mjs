// Source transform that makes a module pass its orchestrator class to the bridge. It works on the text, without a
// parser, and only where the text is unambiguous. discovery.mjs checks what it is given, so a false match is
// harmless.

const CYCLE = 'executeStrategicOrchestrationCycle';
const DISCOVER = 'globalThis[Symbol.for("tweetbot-exporter.bridge.discover")]';

const NAME = '[A-Za-z_$][\\w$]*';
const CLASS_HEAD = new RegExp(
  `^[^'"\`/*\\n]*\\bclass(?:\\s+${NAME})?(?:\\s+extends\\s+[\\w$.]+)?\\s*\\{`,
  'gm',
);
const CYCLE_DEFINITION = new RegExp(`(?:^|[\\s;{}])${CYCLE}\\s*\\(`, 'gm');
const DEFAULT_EXPORTS = [
  new RegExp(`^\\s*export\\s+default\\s+(${NAME})\\s*;?[^\\S\\n]*(?://.*)?$`, 'm'),
  new RegExp(`^\\s*export\\s+default\\s+(?:class|function)\\s+(${NAME})`, 'm'),
  new RegExp(`\\bexport\\s*\\{[^}]*?\\b(${NAME})\\s+as\\s+default\\b`, 'm'),
];
const RESERVED = new Set(
  `arguments await break case catch class const continue debugger default delete do else enum eval export extends false
  finally for function if implements import in instanceof interface let new null package private protected public return
  static super switch this throw true try typeof var void while with yield`.split(/\s+/),
);

export const mentionsCycle = (source) => source.includes(CYCLE);

/**
 * Adds a static block to the class that defines the cycle, which runs before the module can make an instance (it may
 * never get past `await new Bot().start()`). Line numbers stay the same.
 */
export function instrumentClass(source) {
  const definitions = [...source.matchAll(CYCLE_DEFINITION)];
  if (definitions.length !== 1) return source;
  const heads = [...source.slice(0, definitions[0].index + 1).matchAll(CLASS_HEAD)];
  const head = heads.at(-1);
  if (!head) return source;
  const start = head.index + head[0].length;
  return `${source.slice(0, start)}static{${DISCOVER}?.(this)}${source.slice(start)}`;
}

/** Passes a default export that has a name in the module, once the module has run. */
export function instrumentDefaultExport(source) {
  const name = DEFAULT_EXPORTS.map((pattern) => pattern.exec(source)?.[1]).find(Boolean);
  if (!name || RESERVED.has(name)) return source;
  return `${source}\n;try{${DISCOVER}?.(${name})}catch{}\n`;
}

/** The instrumented source of an ES module, or the same value where there is nothing to add. */
export function instrumentSource(source) {
  const text = typeof source === 'string' ? source : decode(source);
  if (text === undefined || !mentionsCycle(text)) return source;
  const instrumented = instrumentDefaultExport(instrumentClass(text));
  return instrumented === text ? source : instrumented;
}

function decode(source) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(source);
  } catch {
    return undefined;
  }
}

/** The result of a load hook, with the source instrumented if it is an ES module's. */
export function transformLoaded(loaded) {
  try {
    if (!loaded?.format?.startsWith('module') || loaded.source === null || loaded.source === undefined)
      return loaded;
    const source = instrumentSource(loaded.source);
    return source === loaded.source ? loaded : { ...loaded, source };
  } catch {
    return loaded;
  }
}
