import { fstatSync, readdirSync, readlinkSync } from 'node:fs';

import { DATABASES } from './limits.mjs';

const DATABASE_FILE = /\.(db|db3|sqlite|sqlite3)$/i;

/**
 * The database files that this process has open, as { path, device, inode }; undefined where that cannot be seen (Linux
 * only). They are never opened here: to close a second descriptor of a file drops the locks that SQLite holds on it.
 */
export function openDatabases() {
  const found = new Map();
  for (const fd of descriptors()) {
    const database = databaseOf(fd);
    if (database && found.size < DATABASES) found.set(database.path, database);
  }
  return found.size > 0 ? [...found.values()] : undefined;
}

function descriptors() {
  try {
    return readdirSync('/proc/self/fd');
  } catch {
    return [];
  }
}

function databaseOf(fd) {
  try {
    const path = readlinkSync(`/proc/self/fd/${fd}`).replace(/ \(deleted\)$/, '');
    if (!DATABASE_FILE.test(path)) return undefined;
    const { dev, ino } = fstatSync(Number(fd), { bigint: true });
    return { path, device: String(dev), inode: String(ino) };
  } catch {
    return undefined; // closed meanwhile
  }
}
