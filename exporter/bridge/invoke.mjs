import { ActionBusyError, ActionRefusedError } from './errors.mjs';
import { ERROR_LENGTH } from './limits.mjs';
import { ownValue, safeGet } from './safe-access.mjs';

const pending = new WeakSet();

/**
 * Throws ActionBusyError while a call on that object is pending: its late changes would be attributed to another
 * action.
 */
export function assertIdle(object) {
  if (pending.has(object)) throw new ActionBusyError('an earlier call on the same object is still pending');
}

/** Calls one of the bot's own methods, on an object without a pending call. */
export async function invoke(object, name, ...args) {
  const method = safeGet(object, name);
  if (typeof method !== 'function') throw new ActionRefusedError(`the bot has no method ${name}()`);
  pending.add(object);
  try {
    await Reflect.apply(method, object, args);
  } catch (thrown) {
    throw new Error(`${name}(): ${errorMessage(thrown)}`);
  } finally {
    pending.delete(object);
  }
}

/** The first line of whatever was thrown, without running any of its code. */
function errorMessage(thrown) {
  const message = ownValue(thrown, 'message') ?? thrown;
  if (typeof message !== 'string') return 'failed without a message';
  return message.slice(0, ERROR_LENGTH).split(/[\r\n]/, 1)[0];
}
