import { writeSync } from 'node:fs';

const said = new Set();

/**
 * One line on stderr, once. Written to the descriptor itself: the bot may have replaced console or process.stderr, and
 * a stream that was closed would raise its error in the bot.
 */
export function say(message) {
  if (said.has(message) || said.size >= 100) return;
  said.add(message);
  try {
    writeSync(2, `tweetbot-bridge: ${message}\n`);
  } catch {
    // nobody listens
  }
}
