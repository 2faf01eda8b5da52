// Twins of `tour.py`; `anchors.js` says how a twin is made.

import { momentOf } from "./story.js";
import { VIEWS } from "./tour_views.js";

export const TourExplorer = {
  draw({ stage }, { tour, stages }) {
    const { layers, sentence, image = tour.photo, size = tour.size } = VIEWS[stage](tour);
    const [title, notebook] = stages[stage];
    const summary = `Stage ${stage}, ${title} (notebook ${notebook}): ${sentence}`;
    return { scenes: [{ layers, image, size }], summary };
  },
};

export const StoryExplorer = {
  draw({ moment }, { tour }) {
    const { layers, sentence } = momentOf(tour, moment);
    return { scenes: [{ layers }], summary: sentence };
  },

  // Film and slider are at the same moment.
  changed(name, { moment, play }) {
    return { set: name === "play" ? { moment: play } : { play: moment } };
  },
};
