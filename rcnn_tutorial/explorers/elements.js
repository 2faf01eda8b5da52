// Elements of the page. One text with canvas.js, and with ranking.js, which follow it.

function add(parent, tag, attributes = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return parent.appendChild(element);
}

// Put an element of the sheet over a box of the image.
function lay(element, [x1, y1, x2, y2], [height, width]) {
  const place = { left: x1 / width, top: y1 / height, width: (x2 - x1) / width, height: (y2 - y1) / height };
  for (const [side, share] of Object.entries(place)) element.style[side] = `${100 * share}%`;
}
