// What a widget's script expects of a notebook: values by name, told when they change. Here the page answers in place
// of Python: `saved(name, value)` hears what the reader changed, `told(message)` what a script sends.

export class Model {
  constructor(values, { saved = () => {}, told = () => {} } = {}) {
    Object.assign(this, { values, saved, told, hearers: {}, changed: new Set() });
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    this.values = { ...this.values, [name]: value };
    this.changed.add(name);
  }

  save_changes() {
    const names = [...this.changed];
    this.changed.clear();
    for (const name of names) this.saved(name, this.values[name]);
  }

  send(message) {
    this.told(message);
  }

  on(event, act) {
    if (!this.hearers[event]) this.hearers[event] = new Set();
    this.hearers[event].add(act);
  }

  off(event, act) {
    this.hearers[event]?.delete(act);
  }

  fire(event, message) {
    for (const act of this.hearers[event] ?? []) act(message);
  }

  // From the page: only what is another value is told.
  show(values) {
    const names = Object.keys(values).filter((name) => values[name] !== this.values[name]);
    this.values = { ...this.values, ...values };
    for (const name of names) this.fire(`change:${name}`);
    if (names.length) this.fire("change");
  }
}
