// Runs in the thread that Node keeps for hooks, where module.registerHooks is not there to be used.
import { announceLoaded } from './rewrite.mjs';

export async function load(url, context, nextLoad) {
  return announceLoaded(await nextLoad(url, context));
}
