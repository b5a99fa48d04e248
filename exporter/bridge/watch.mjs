import { isServed, serveProcess } from './attach.mjs';
import { openDatabases } from './databases.mjs';
import { logOnce } from './log.mjs';

const SECOND_MILLISECONDS = 1000;
const LOOKS = 60;

/**
 * Serves a process without an orchestrator or an agent as soon as it opens a database: then it is one of the bot's.
 * Where nothing is found, it says so and serves nothing: NODE_OPTIONS also preloads npm and other tools.
 */
export function watchProcess(interval = SECOND_MILLISECONDS, looks = LOOKS) {
  setTimeout(() => {
    if (isServed()) return;
    if (openDatabases()) serveProcess();
    else if (looks > 1) watchProcess(interval, looks - 1);
    else giveUp();
  }, interval).unref();
}

function giveUp() {
  const script = process.argv[1] ?? 'this process';
  logOnce(`no orchestrator, agent or database was found in ${script} within a minute`);
}
