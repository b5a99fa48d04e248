// How a module is made to hand over its orchestrator class: by its text, without a parser, where the text leaves no
// doubt. What is handed over is judged later; handing over the wrong thing is harmless.

const CYCLE = 'executeStrategicOrchestrationCycle';
const HAND_OVER = 'globalThis[Symbol.for("tweetbot-exporter.bridge.recognise")]';

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
 * Lets the class that defines the cycle hand itself over as soon as it exists, by a static block: earlier than anything
 * the module does with it, be it `await new Bot().start()` on the module's last line. Lines keep their numbers.
 */
export function announceClass(source) {
  const definitions = [...source.matchAll(CYCLE_DEFINITION)];
  if (definitions.length !== 1) return source;
  const heads = [...source.slice(0, definitions[0].index + 1).matchAll(CLASS_HEAD)];
  const head = heads.at(-1);
  if (!head) return source;
  const start = head.index + head[0].length;
  return `${source.slice(0, start)}static{${HAND_OVER}?.(this)}${source.slice(start)}`;
}

/** Hands over a default export that has a name in the module, when the module has run. */
export function announceDefault(source) {
  const name = DEFAULT_EXPORTS.map((pattern) => pattern.exec(source)?.[1]).find(Boolean);
  if (!name || RESERVED.has(name)) return source;
  return `${source}\n;try{${HAND_OVER}?.(${name})}catch{}\n`;
}

/** An ES module's source, or the very same value where there is nothing to add. */
export function announce(source) {
  const text = typeof source === 'string' ? source : decode(source);
  if (text === undefined || !mentionsCycle(text)) return source;
  const announced = announceDefault(announceClass(text));
  return announced === text ? source : announced;
}

function decode(source) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(source);
  } catch {
    return undefined;
  }
}

/** A load hook's result, with the source announced where it is that of an ES module. */
export function announceLoaded(loaded) {
  try {
    if (!loaded?.format?.startsWith('module') || loaded.source === null || loaded.source === undefined)
      return loaded;
    const source = announce(loaded.source);
    return source === loaded.source ? loaded : { ...loaded, source };
  } catch {
    return loaded;
  }
}
