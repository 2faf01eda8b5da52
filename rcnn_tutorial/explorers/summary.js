// The sentence under a picture. Words that the last change brought are bold, so that the eye finds them from afar.

function render({ model, el }) {
  const line = el.appendChild(document.createElement("p"));
  line.setAttribute("role", "status");
  line.setAttribute("aria-live", "polite");
  let before = null;
  const show = () => {
    const words = model.get("text").split(" ");
    const old = before ?? words; // nothing is new at first
    const kept = common(old, words);
    line.replaceChildren(...words.flatMap((word, i) => [i ? " " : "", kept.has(i) ? word : bold(word)]));
    line.className = model.get("possible") ? "rcnn-summary" : "rcnn-summary rcnn-problem";
    before = words;
  };
  model.on("change", show);
  show();
}
export default { render };

function bold(word) {
  const element = document.createElement("b");
  element.textContent = word;
  return element;
}

// The places in `words` of a longest sequence of words that is in `old` too, in the same order.
function common(old, words) {
  const longest = Array.from({ length: old.length + 1 }, () => new Uint16Array(words.length + 1));
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = words.length - 1; j >= 0; j--)
      longest[i][j] = old[i] === words[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
  const kept = new Set();
  for (let i = 0, j = 0; i < old.length && j < words.length; ) {
    if (old[i] === words[j]) { kept.add(j); i++; j++; }
    else if (longest[i + 1][j] >= longest[i][j + 1]) i++;
    else j++;
  }
  return kept;
}
