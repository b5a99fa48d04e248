export class Histogram {
  #bounds;
  #counts;
  #count = 0;
  #sum = 0;

  constructor(bounds) {
    this.#bounds = bounds;
    this.#counts = new Array(bounds.length).fill(0);
  }

  observe(value) {
    const bucket = this.#bounds.findIndex((bound) => value <= bound);
    if (bucket >= 0) this.#counts[bucket] += 1;
    this.#count += 1;
    this.#sum += value;
  }

  toJSON() {
    let total = 0;
    const buckets = this.#counts.map((count) => (total += count));
    return { bounds: this.#bounds, buckets, count: this.#count, sum: this.#sum };
  }
}
