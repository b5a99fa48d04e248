// For Node.js versions without module.registerHooks: loaded by module.register, on the loader's own thread.
import { transformLoaded } from './transform.mjs';

export async function load(url, context, nextLoad) {
  return transformLoaded(await nextLoad(url, context));
}
