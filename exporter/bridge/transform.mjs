// Source transform that makes a module pass its classes of orchestrators and agents to the bridge. It works on the text, without a
// parser, and only where the text is unambiguous. discovery.mjs checks what it is given, so a false match is
// harmless.

/** The method that makes a class one of orchestrators. */
export const CYCLE = 'executeStrategicOrchestrationCycle';
/** Methods that make a class one of agents, where it is not one of orchestrators. */
export const AGENT_METHODS = [
  'getPerformanceMetrics',
  'getAgentState',
  'makeIntelligentDecision',
  'makeDecision',
];
const MARKERS = [CYCLE, ...AGENT_METHODS];
const DISCOVER = 'globalThis[Symbol.for("tweetbot-exporter.bridge.discover")]';

const NAME = '[A-Za-z_$][\\w$]*';
const CLASS_HEAD = new RegExp(
  `^[^'"\`/*\\n]*\\bclass(?:\\s+${NAME})?(?:\\s+extends\\s+[\\w$.]+)?(?:\\s+implements\\s+[\\w$., ]+)?\\s*\\{`,
  'gm',
);
const DEFINITIONS = MARKERS.map((name) => new RegExp(`(?:^|[\\s;{}])${name}\\s*\\(`, 'gm'));
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

export const mentionsMarker = (source) => MARKERS.some((name) => source.includes(name));

/**
 * Adds a static block to each class that defines a marker once in the module, which runs before the module can make an instance (it may
 * never get past `await new Bot().start()`). Line numbers stay the same.
 */
export function instrumentClass(source) {
  const bodies = new Set(DEFINITIONS.map((definition) => classBody(source, definition)));
  return [...bodies]
    .filter((start) => start !== undefined)
    .sort((one, other) => other - one)
    .reduce((text, start) => `${text.slice(0, start)}static{${DISCOVER}?.(this)}${text.slice(start)}`, source);
}

/** Where the body of the class begins that has the only definition; undefined where that is not clear. */
function classBody(source, definition) {
  const definitions = [...source.matchAll(definition)];
  if (definitions.length !== 1) return undefined;
  const heads = [...source.slice(0, definitions[0].index + 1).matchAll(CLASS_HEAD)];
  const head = heads.at(-1);
  return head && head.index + head[0].length;
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
  if (text === undefined || !mentionsMarker(text)) return source;
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
