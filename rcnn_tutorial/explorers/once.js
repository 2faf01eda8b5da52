// A function that computes once of the same tensors, for what no control changes; the tensors are not kept by it.
export function once(compute) {
  const known = new WeakMap();
  return (tensors) => {
    if (!known.has(tensors)) known.set(tensors, compute(tensors));
    return known.get(tensors);
  };
}
