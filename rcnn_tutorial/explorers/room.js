// How much room a window leaves to a picture. One text with canvas.js, which follows it.

const [EDGES, BELOW, LEAST] = [52, 140, 200]; // screen pixels: around an explorer, below a picture, a picture's least
const FRAMED = 0.75; // of a screen: what bars of the browser and of the notebook leave

// The height of the window that shows a notebook. Where an output lies in a frame as high as what is in it (Colab, VS
// Code), the screen has to tell: such a frame would shrink with the picture.
function heightOf(panel) {
  const framed = panel === document.documentElement && window !== window.top;
  return framed ? FRAMED * screen.availHeight : panel.clientHeight;
}

// The height for the pictures of a canvas; of those that stand one below the other none can have it all.
function room(el, stage, panel) {
  const right = el.closest(".rcnn-right");
  const tops = [...(right?.querySelectorAll(".rcnn-canvas") ?? [])].map(({ offsetTop }) => offsetTop);
  const pictures = right?.querySelector(".rcnn-pictures") ?? el;
  const below = (right ?? el).offsetHeight - pictures.offsetHeight; // a neighbor may be taller: its height is its own
  const around = new Set(tops).size > 1 ? BELOW : below + el.offsetHeight - stage.offsetHeight;
  const above = right ? right.offsetTop - (right.closest(".rcnn-few")?.firstElementChild ?? right).offsetTop : 0;
  return Math.max(LEAST, heightOf(panel) - above - around - EDGES);
}

// Few controls stand beside the picture, or above it where that makes it larger: below a panorama a narrow window has
// height to spare. size: (height, width) of the picture.
function arrange(el, stage, panel, [height, width]) {
  const explorer = el.closest(".rcnn-few");
  const seen = [panel.clientWidth, heightOf(panel), explorer?.clientWidth, width / height].join();
  if (!explorer || explorer.dataset.seen === seen) return; // asked once a size, so that no answer changes the question
  const [beside, above] = [false, true].map((stacked) => {
    explorer.classList.toggle("rcnn-stacked", stacked);
    return Math.min(el.clientWidth, (room(el, stage, panel) * width) / height);
  });
  explorer.classList.toggle("rcnn-stacked", above > beside);
  explorer.dataset.seen = seen;
}
