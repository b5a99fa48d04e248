import { ERROR_LENGTH } from './limits.mjs';
import { get, own } from './safe.mjs';

/** The action is not done, or not in whole. The message says why. */
export class RefusedError extends Error {}

const unsettled = new WeakSet();

/** Throws RefusedError while a call to that object has not ended. */
export function expectIdle(holder) {
  if (unsettled.has(holder)) throw new RefusedError('an earlier call to the same has not ended');
}

/** Calls a method of the bot's, and never two of one object at once. */
export async function call(holder, name, ...args) {
  const method = get(holder, name);
  if (typeof method !== 'function') throw new RefusedError(`the bot has no ${name}() for it`);
  expectIdle(holder);
  unsettled.add(holder);
  try {
    await Reflect.apply(method, holder, args);
  } catch (thrown) {
    throw new Error(`${name}(): ${messageOf(thrown)}`);
  } finally {
    unsettled.delete(holder);
  }
}

/** The first line of what was thrown, whatever it is, without running code of its own. */
function messageOf(thrown) {
  const message = own(thrown, 'message') ?? thrown;
  if (typeof message !== 'string') return 'failed without a message';
  return message.slice(0, ERROR_LENGTH).split(/[\r\n]/, 1)[0];
}
