// The losses' arithmetic, and softmax: `stages/rpn_loss.py` and `stages/classification.py` in the browser.

const f = Math.fround;

// Probabilities of scores (C,): (C,), of single precision.
export function softmax(scores) {
  const most = Math.max(...scores);
  const powers = scores.map((score) => f(Math.exp(f(score - most))));
  const sum = f(powers.reduce((a, b) => a + b, 0));
  return powers.map((power) => f(power / sum));
}

// -log of the probability that scores (C,) give to a class, of single precision.
export function crossEntropy(scores, label) {
  const most = Math.max(...scores);
  const sum = scores.reduce((total, score) => total + Math.exp(f(score - most)), 0);
  return f(f(most + f(Math.log(sum))) - scores[label]);
}

// sigma^2 x^2 / 2 where |x| < 1 / sigma^2, |x| - 0.5 / sigma^2 elsewhere. round: to single precision, or not at all.
export function smoothL1(difference, sigma, round = (x) => x) {
  const [beta, size] = [1 / (sigma * sigma), Math.abs(difference)];
  if (size < round(beta)) return round(round(0.5 * round(size * size)) / round(beta));
  return round(size - round(0.5 * beta));
}
