/** Throws where Node.js is older than what the bridge is made for and tested with. */
export function requireSupportedNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 6)) throw new Error(`Node.js 20.6 or later is needed, and this is ${version}`);
}
