// Twins of `replay.py`: a training to look through, step by step. `anchors.js` says how a twin is made.

import { curveLayers } from "./curves.js";
import { ELSEWHERE, filmLayers, OTHER_CLASS, RIGHT } from "./film.js";
import { fixed } from "./text.js";

export const TrainingReplay = {
  draw({ step: place }, tensors) {
    const { looks, moments, due, steps } = tensors;
    const { step, found } = looks[place];
    const known = moments.filter((moment) => moment.step <= step);
    const then = (at) => known.find((moment) => moment.step === at)?.found ?? null;
    const film = filmLayers(found, step, due.map((at) => ({ step: at, found: then(at) })), tensors);
    const said = judged(step, tensors.objects.length, film.verdicts);
    return {
      scenes: [{ layers: curveLayers(until(step, tensors)) }, { layers: film.layers }],
      summary: `${progress(step, steps)} ${said}${measured(known, tensors)}`,
    };
  },
};

export const CurvesReplay = {
  draw({ step }, tensors) {
    const layers = curveLayers(until(step, tensors));
    return { scenes: [{ layers }], summary: `Losses of ${step} of ${tensors.steps} steps.` };
  },
};

// The run as it was after so many steps.
function until(step, tensors) {
  const known = Object.entries(tensors.series).map(([panel, pairs]) => [panel, pairs.filter(([at]) => at <= step)]);
  return { ...tensors, series: Object.fromEntries(known) };
}

// How far the training was.
function progress(done, steps) {
  return `Step ${done} of ${steps}, ${done >= steps ? "finished" : done ? "paused" : "not started"}.`;
}

// What the detections in the scene are worth.
function judged(done, objects, verdicts) {
  if (!done) return `${objects} objects in the scene.`;
  const count = (kind) => verdicts.filter((verdict) => verdict === kind).length;
  const wrong = `misnamed: ${count(OTHER_CLASS)}, elsewhere: ${count(ELSEWHERE)}`;
  return `${count(RIGHT)} of ${objects} objects right; ${wrong}.`;
}

// The last measurement; empty before the first, and where there is nothing to find.
function measured(moments, { proposals }) {
  const { step, mAP, recall } = moments[moments.length - 1] ?? { mAP: null };
  return mAP === null ? "" : ` After step ${step}: mAP ${fixed(mAP, 2)}, recall at ${proposals} ${fixed(recall, 2)}.`;
}
