import { writeSync } from 'node:fs';

const logged = new Set();

/**
 * Writes one line to stderr, each message once. It writes to the file descriptor: the bot may have replaced console or
 * process.stderr, and a closed stream would emit its error in the bot.
 */
export function logOnce(message) {
  if (logged.has(message) || logged.size >= 100) return;
  logged.add(message);
  try {
    writeSync(2, `tweetbot-bridge: ${message}\n`);
  } catch {
    // stderr is closed
  }
}
