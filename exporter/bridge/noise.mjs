import { NOISE_CHANGES } from './limits.mjs';

/** How much a value moves by itself: its changes from one reading to the next while the agent did nothing. */
export class NoiseMeter {
  #changes = [];
  #last;

  /** `values` are those of one reading, by name; `activity` is the same as long as nothing was done. */
  observe(values, activity) {
    const last = this.#last;
    this.#last = { values, activity };
    if (last?.activity !== activity) return;
    const names = Object.keys(values).filter((name) => isRatio(values[name]) && isRatio(last.values[name]));
    if (names.length === 0) return;
    this.#changes.push(Math.max(...names.map((name) => Math.abs(ratio(values[name]) - ratio(last.values[name])))));
    if (this.#changes.length > NOISE_CHANGES) this.#changes.shift();
  }

  /** `pairs` of readings, and the median change of a pair; undefined before the first. One leap is no noise. */
  toJSON() {
    const pairs = this.#changes.length;
    if (pairs === 0) return undefined;
    return { pairs, medianChange: this.#changes.toSorted((one, other) => one - other)[pairs >> 1] };
  }
}

const isRatio = (value) => value >= 0 && value <= 100;

/** Above 1 it is percent, as everywhere. */
const ratio = (value) => (value > 1 ? value / 100 : value);
