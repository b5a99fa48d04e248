import { ERROR_LENGTH } from './limits.mjs';
import { get, own } from './safe.mjs';

const LATER_SECONDS = 10;

/** The action is not done, or not in whole. The message says why. */
export class RefusedError extends Error {}

/** Nothing is done, and the same can be asked for again after `retryAfter` seconds. */
export class BusyError extends Error {
  constructor(message, retryAfter = LATER_SECONDS) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

const unsettled = new WeakSet();

/** Throws BusyError while a call to that object has not ended: what it still changes would be taken for another's. */
export function expectIdle(holder) {
  if (unsettled.has(holder)) throw new BusyError('an earlier call to the same has not ended');
}

/** Calls a method of the bot's, on an object that is idle. */
export async function call(holder, name, ...args) {
  const method = get(holder, name);
  if (typeof method !== 'function') throw new RefusedError(`the bot has no ${name}() for it`);
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
