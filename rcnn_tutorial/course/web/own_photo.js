// The page for a photo of the reader's own: from a file, dropped, or from the camera, through the detector, to the
// detections and the lessons' explorers. `templates/own_photo.html` has the elements.

import { render as drawCanvas } from "./canvas.js";
import { control } from "./controls.js";
import { Detector } from "./detector.js";
import { Panel } from "./host.js";
import { inflate } from "./inflate.js";
import { Model } from "./model.js";
import { onPhoto } from "./on_photo.js";
import { Camera, readPhoto } from "./photo.js";
import { AFTER, boxes } from "./scene.js";
import { Unpacked } from "./state.js";
import { render as drawSummary } from "./summary.js";
import { fixed, tally, thousands } from "./text.js";

const THRESHOLD = {
  kind: "slider", name: "shown", label: "Show scores from", value: 0.5, min: 0.05, max: 0.95, step: 0.05, digits: 2,
};
const ROOMY = 480; // canvas.py
const SLOW = 4; // seconds
const FEW = 100; // proposals, the fewest that the page offers
const MISSED = "The photo that came meanwhile was not opened: drop it again.";

// twins: file's name -> module. onTrace(trace, photo): told of every photo that went through. trace: { name: { shape,
// data } }, see detector.js. photo: ImageData, what the detector was given. Returns the page, whose `onTrace` may be
// another later.
export function start(twins, onTrace = () => {}) {
  return new OwnPhoto(document.querySelector("[data-own-photo]"), twins, onTrace);
}

class OwnPhoto {
  constructor(element, twins, onTrace) {
    Object.assign(this, { element, twins, onTrace, shown: THRESHOLD.value, count: 0, panels: [] });
    const { files, classes, templates, arrays } = JSON.parse(document.getElementById("live").textContent);
    Object.assign(this, { files, classes });
    this.templates = inflate([arrays], "deflate").then((buffer) => new Unpacked(buffer).read(templates));
    this.listenToFiles();
    this.listenToCamera();
    this.part("load").addEventListener("click", () => this.say(async () => {
      await this.detector();
      return "The detector is loaded. Choose a photo.";
    }));
    this.busy = false;
  }

  part(name) {
    return this.element.querySelector(`[data-part="${name}"]`);
  }

  listenToFiles() {
    const { element } = this;
    for (const input of element.querySelectorAll("input[type=file]"))
      input.addEventListener("change", () => {
        if (input.files.length) this.show(() => readPhoto(input.files[0]));
        input.value = ""; // the same file may be chosen again
      });
    for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
    for (const [name, on] of [["dragover", true], ["dragleave", false], ["drop", false]])
      document.addEventListener(name, () => element.classList.toggle("own-over", on));
    document.addEventListener("drop", ({ dataTransfer }) => {
      if (dataTransfer.files.length) this.show(() => readPhoto(dataTransfer.files[0]));
    });
  }

  listenToCamera() {
    const [open, panel, no] = ["camera", "viewfinder", "no-camera"].map((name) => this.part(name));
    [open.hidden, no.hidden] = [!Camera.available, Camera.available];
    const camera = new Camera(this.part("video"));
    const toggle = (on) => { [panel.hidden, open.hidden] = [!on, on]; };
    const shut = () => {
      camera.close();
      toggle(false);
    };
    open.addEventListener("click", () => this.say(async () => {
      await camera.open();
      toggle(true);
      return "The camera is on.";
    }));
    this.part("close").addEventListener("click", shut);
    this.part("take").addEventListener("click", () => {
      const photo = camera.take();
      shut();
      this.show(async () => photo);
    });
  }

  // The detector, loaded when it is first wanted.
  detector() {
    const bar = this.part("progress");
    const progress = (done, total) => {
      Object.assign(bar, { hidden: false, value: done, max: total });
      const quarters = Math.floor((4 * done) / total); // what is told is read aloud; the bar moves meanwhile
      const loading = `Loading the detector: ${25 * quarters} % of ${fixed(total / 1e6, 1)} MB.`;
      this.tell(done < total ? loading : "Starting the detector.");
    };
    if (!this.loading)
      this.loading = Detector.load(this.files, progress).catch((error) => { this.loading = null; throw error; });
    return this.loading.finally(() => { bar.hidden = true; });
  }

  show(read) {
    if (this.busy) {
      this.missed = ` ${MISSED}`; // said when the work in hand is done, which says other things until then
      return;
    }
    return this.say(async () => {
      this.tell("Opening the photo.");
      const photo = await read();
      const detector = await this.detector();
      this.tell("The detector is looking at the photo.");
      const begun = performance.now();
      const count = Number(this.part("count").value);
      const trace = await detector.detect(photo, count);
      const seconds = (performance.now() - begun) / 1000;
      this.draw(trace, photo);
      this.onTrace(trace, photo);
      await this.explore(trace, photo);
      const faster = seconds > SLOW && count > FEW ? ` ${FEW} proposals take less.` : "";
      return `Done; the detector took ${fixed(seconds, 1)} s.${faster} The photo has not left this device.`;
    });
  }

  // One thing at a time; what became of it is said under the buttons.
  async say(act) {
    Object.assign(this, { busy: true, missed: "" });
    try {
      this.tell(await act() + this.missed);
    } catch (error) {
      this.tell(`That did not work: ${error.message.replace(/\.$/, "")}.${this.missed}`);
    } finally {
      this.busy = false;
    }
  }

  get busy() {
    return this.part("choices").disabled;
  }

  set busy(on) {
    for (const name of ["choices", "take"]) this.part(name).disabled = on; // the viewfinder is no part of the choices
  }

  // What is said twice would be read aloud twice.
  tell(words) {
    const line = this.part("status");
    if (line.textContent !== words) line.textContent = words;
  }

  // The lessons' explorers on this photo, one after the other, so that the page answers meanwhile.
  async explore(trace, photo) {
    const all = document.querySelector('[data-part="explorers"]');
    const places = [...all.querySelectorAll("[data-explorer]")];
    for (const panel of this.panels.splice(0)) panel.destroy(); // those of the photo before
    all.hidden = false;
    const templates = await this.templates;
    this.tell("The explorers are being drawn.");
    for (const place of places) {
      await new Promise((resolve) => { setTimeout(resolve); });
      const template = templates[place.dataset.explorer];
      try {
        this.panels.push(new Panel(place, onPhoto(template, trace, photo), this.twins[template.module][template.kind]));
      } catch (error) { // the others live
        console.error(`rcnn_tutorial explorer ${place.dataset.explorer}:`, error);
      }
    }
  }

  // ---- the detections on the photo

  draw(trace, photo) {
    Object.assign(this, { trace, photo });
    this.part("result").hidden = false;
    if (this.picture) this.redraw();
    else this.build();
  }

  build() {
    const [first, line] = [this.seen(), this.part("summary")];
    this.picture = new Model({ handles: {}, angles: {}, possible: true, ...first });
    this.line = new Model({ text: first.summary, possible: true });
    this.slider = control(THRESHOLD, (value) => { this.shown = value; this.redraw(); });
    this.slider.show(this.shown);
    this.part("threshold").append(this.slider.element);
    drawCanvas({ model: this.picture, el: this.part("canvas") });
    drawSummary({ model: this.line, el: line });
  }

  redraw() {
    const seen = this.seen();
    this.slider.show(this.shown);
    this.picture.show(seen);
    this.line.show({ text: seen.summary });
  }

  // What the canvas shows: image, frame and summary.
  seen() {
    const { width, height } = this.photo;
    const found = detections(this.trace, this.classes, this.shown);
    const look = { name: "detections", labels: found.map(({ text }) => text) };
    const layers = [boxes(found.map(({ box }) => box), AFTER, look)];
    this.count += 1;
    const screen = { width: 800, title: "", roomy: ROOMY };
    const frame = { count: this.count, size: [height, width], ...screen, layers, handles: [] };
    return { image: this.photo, frame, summary: sentence(this.trace, found, this.shown) };
  }
}

// The detections scored `least` or more, best first: [{ name, text, box }], boxes in the photo's pixels.
export function detections(trace, classes, least) {
  const [box, labels, scores] = ["boxes", "labels", "scores"].map((name) => trace[`detections.${name}`].data);
  const places = Array.from(scores.keys()).filter((i) => scores[i] >= least);
  return places.map((i) => {
    const name = classes[labels[i] - 1];
    return { name, text: `${name} ${fixed(scores[i], 2)}`, box: [...box.subarray(4 * i, 4 * i + 4)] };
  });
}

function sentence(trace, found, least) {
  const names = tally(found.map(({ name }) => name)) || "none";
  const count = (name) => thousands(trace[name].shape[0]);
  const [anchors, proposals, left] = ["anchors", "proposals.boxes", "detections.boxes"].map(count);
  return `${anchors} anchors, ${proposals} proposals, ${left} detections; scored ${fixed(least, 2)} or more: ${names}.`;
}
