// A function that computes once of the same tensors, for what no control changes; the tensors are not kept by it.
export function once(compute) {
  const known = new WeakMap();
  return (tensors) => {
    if (!known.has(tensors)) known.set(tensors, compute(tensors));
    return known.get(tensors);
  };
}

// A function that keeps its last result, for what most controls leave alone: it computes again where an argument is
// another, even an equal array. No argument may be changed in place; the last ones are kept.
export function keepLast(compute) {
  let [before, result] = [null, null];
  return (...given) => {
    if (!before || given.some((one, i) => one !== before[i])) [before, result] = [given, compute(...given)];
    return result;
  };
}

// A function of one number or text that keeps its last few results.
export function remembering(count, compute) {
  const known = new Map();
  return (key) => {
    const result = known.has(key) ? known.get(key) : compute(key);
    known.delete(key);
    known.set(key, result); // the last one asked for is the last to go
    if (known.size > count) known.delete(known.keys().next().value);
    return result;
  };
}
