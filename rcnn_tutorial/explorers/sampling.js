// Random choice of `stages/sampling.py`, with the numbers that torch draws for the same seed.

import { range } from "./boxes.js";

const [LENGTH, MIDDLE] = [624, 397];

// torch.Generator().manual_seed(seed), seed below 2^32: the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998).
export class Generator {
  constructor(seed) {
    this.state = new Uint32Array(LENGTH);
    this.state[0] = seed;
    for (let i = 1; i < LENGTH; i++) {
      const last = this.state[i - 1];
      this.state[i] = Math.imul(1812433253, last ^ (last >>> 30)) + i;
    }
    this.used = LENGTH;
  }

  // All numbers of the state are used: the next ones.
  twist() {
    const state = this.state;
    for (let i = 0; i < LENGTH; i++) {
      const mixed = (state[i] & 0x80000000) | (state[(i + 1) % LENGTH] & 0x7fffffff);
      state[i] = state[(i + MIDDLE) % LENGTH] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    this.used = 0;
  }

  // 32 random bits, as a whole number from 0
  bits() {
    if (this.used === LENGTH) this.twist();
    let y = this.state[this.used++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  // torch.randint(2**32, ()): the lower half of 64 bits
  whole() {
    this.bits();
    return this.bits();
  }

  // torch.rand(count), of single precision: (count,) in [0, 1)
  uniform(count) {
    return range(count).map(() => (this.bits() & 0xffffff) / 2 ** 24);
  }
}

// A random number in [0, 1) for every usable entry: sorting by it is a random order.
//
// usable: (N,) of true and false, false for padding, which gets a number without meaning and uses none up.
export function randomKeys(usable, seed) {
  const drawn = new Generator(new Generator(seed).whole()).uniform(usable.length);
  let place = -1; // which of the usable entries this one is
  return usable.map((it) => drawn[Math.max((place += Number(it)), 0)]);
}

// At most `count` of the candidates in the order of their keys, highest first, all without `count`: indices.
//
// candidates: (N,) of true and false. keys: (N,) in [0, 1).
export function shuffledCandidates(candidates, keys, count = Infinity) {
  const rows = [];
  candidates.forEach((is, i) => { if (is) rows.push(i); });
  return rows.sort((a, b) => keys[b] - keys[a] || a - b).slice(0, count);
}
