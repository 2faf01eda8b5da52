// A queue whose smallest item comes first: a binary heap, as Python's `heapq`.

export class Queue {
  // compare(a, b): below 0 where `a` comes first.
  constructor(compare) {
    Object.assign(this, { compare, items: [] });
  }

  get length() {
    return this.items.length;
  }

  push(item) {
    let place = this.items.push(item) - 1;
    for (let above; place && this.before(place, (above = (place - 1) >> 1)); place = above) this.swap(place, above);
  }

  pop() {
    const { items } = this;
    this.swap(0, items.length - 1);
    const first = items.pop();
    for (let place = 0, child; (child = this.smallerChild(place)) < items.length; place = child) {
      if (!this.before(child, place)) break;
      this.swap(child, place);
    }
    return first;
  }

  smallerChild(place) {
    const left = 2 * place + 1;
    return left + 1 < this.items.length && this.before(left + 1, left) ? left + 1 : left;
  }

  before(one, other) {
    return this.compare(this.items[one], this.items[other]) < 0;
  }

  swap(one, other) {
    [this.items[one], this.items[other]] = [this.items[other], this.items[one]];
  }
}
