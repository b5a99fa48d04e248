const LEASE_MILLISECONDS = 24 * 3_600_000;

/**
 * Who may act on the bot: one optimizer at a time, known by its ledger's id. Two of them would each do what the other
 * has just done. The lease ends a day after its last request, or with the bot's process.
 */
export class OwnerLease {
  #owner;
  #end = -Infinity;

  /** Takes or renews the lease; or returns the seconds for which another owner still has it. */
  claim(owner) {
    const time = performance.now();
    if (owner !== this.#owner && time < this.#end) return Math.ceil((this.#end - time) / 1000);
    this.#owner = owner;
    this.#end = time + LEASE_MILLISECONDS;
    return 0;
  }
}
