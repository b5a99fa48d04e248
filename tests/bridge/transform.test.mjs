import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  instrumentSource,
  instrumentClass,
  instrumentDefaultExport,
  transformLoaded,
} from '../../exporter/bridge/transform.mjs';

const CYCLE = 'executeStrategicOrchestrationCycle';
const BLOCK = 'static{globalThis[Symbol.for("tweetbot-exporter.bridge.discover")]?.(this)}';

test('the class with the cycle gets a block, on the line where it begins', () => {
  const source = `class Other { }\nclass Bot extends base.Bot { // comment\n  async ${CYCLE}() {}\n}\nclass Third { }`;
  assert.equal(instrumentClass(source), source.replace('base.Bot {', `base.Bot {${BLOCK}`));
});

test('heads of a class', () => {
  const heads = [
    'class Bot {',
    'export class Bot{',
    'export default class {',
    'module.exports = class Bot {',
    'class Bot extends A.B {',
    'class Bot\n  extends Base\n{',
    'const Bot = class extends $Base_1 {',
    '  class Bot {',
    'var A=class{',
  ];
  for (const head of heads) {
    assert.equal(instrumentClass(`${head} ${CYCLE}(x) {} }`), `${head}${BLOCK} ${CYCLE}(x) {} }`);
  }
});

test('in doubt, no block', () => {
  const doubtful = [
    `class A { ${CYCLE}() {} }\nclass B { ${CYCLE}() {} }`,
    `class A { run() { this.${CYCLE}(); } }`,
    `const text = 'class A { ${CYCLE}() {} }';`,
    `const text = \`class A { ${CYCLE}() {} }\`;`,
    `// class A {\n ${CYCLE}() {}`,
    ` * class A {\n * ${CYCLE}() {}`,
    `class A extends mixin({ a: 1 }) { ${CYCLE}() {} }`,
    `class A { ${CYCLE} = async () => {} }`,
    `Bot.prototype.${CYCLE} = function () {};`,
    `function ${CYCLE}() {}`,
    `superclass { ${CYCLE}() {} }`,
  ];
  for (const source of doubtful) assert.equal(instrumentClass(source), source);
});

test('a default export with a name is handed over at the end', () => {
  const exports = [
    ['export default Bot', 'Bot'],
    ['export default Bot;', 'Bot'],
    ['  export default $bot ; // here', '$bot'],
    ['export default class Bot extends X {}', 'Bot'],
    ['export default function Bot() {}', 'Bot'],
    ['export { a, Bot as default, b }', 'Bot'],
    ['export{Bot as default}', 'Bot'],
  ];
  for (const [source, name] of exports) {
    const instrumented = instrumentDefaultExport(source);
    assert.ok(instrumented.startsWith(`${source}\n;`));
    assert.ok(instrumented.includes(`?.(${name})`));
  }
});

test('in doubt, nothing is handed over', () => {
  const doubtful = [
    'export default new Bot();',
    'export default class extends Bot {}',
    'export default { Bot };',
    'export default null',
    'export default await',
    '// export default if',
    'export default Bot.prototype;',
    'export { Bot };',
    'export default Bot, Other;',
    `export { default } from './bot.mjs';`,
  ];
  for (const source of doubtful) assert.equal(instrumentDefaultExport(source), source);
});

test('modules that do not mention the cycle keep the very same source', () => {
  const text = 'class Bot {}\nexport default Bot;';
  assert.equal(instrumentSource(text), text);
  for (const bytes of [
    Buffer.from(text),
    new TextEncoder().encode(text).buffer,
    Buffer.from([0xff, 0xfe, 0x00]),
  ]) {
    assert.equal(instrumentSource(bytes), bytes);
  }
});

test('bytes are read as UTF-8, or left alone', () => {
  const text = `class Bö { ${CYCLE}() {} }\nexport default Bot; // ₿`;
  assert.ok(instrumentSource(Buffer.from(text)).endsWith('catch{}\n'));
  const broken = Buffer.concat([Buffer.from(text), Buffer.from([0xff])]);
  assert.equal(instrumentSource(broken), broken);
});

test('only modules are touched, and nothing else of what was loaded', () => {
  const source = `class Bot { ${CYCLE}() {} }`;
  for (const loaded of [
    undefined,
    null,
    {},
    { format: 'commonjs', source },
    { format: 'json', source },
    { format: 'wasm', source },
    { format: 'module', source: null },
    { format: 'module' },
    { format: 'module', source: 5 },
    { format: 5, source },
  ])
    assert.equal(transformLoaded(loaded), loaded);
  const loaded = { format: 'module', source, shortCircuit: true, responseURL: 'file:///bot.mjs' };
  assert.deepEqual({ ...transformLoaded(loaded), source }, loaded);
  assert.notEqual(transformLoaded(loaded).source, source);
});
