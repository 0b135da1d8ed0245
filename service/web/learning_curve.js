// How well held-out clips are redrawn while a model learns: a line that grows.

import { element, svg } from "./elements.js";

const WIDTH = 640, HEIGHT = 150, EDGE = 12;

// What a training's stage says of its looks at held-out clips; null where it says nothing.
export function lookOf(stage) {
  const said = /([\d.]+) dB on held-out clips after (\d+) steps/.exec(stage || "");
  return said && { step: Number(said[2]), psnr_db: Number(said[1]) };
}

// A picture, and a function that shows it the looks so far, each { step, psnr_db }.
export function learningCurve() {
  const line = svg("polyline", { class: "curve", "data-dim": 0 }), best = svg("circle", { class: "best", r: 5 });
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "no look at held-out clips yet" }, line, best);
  drawing.toggleAttribute("hidden", true); // until there are two looks, which a line needs
  const told = element("figcaption", {}, "The first look at held-out clips comes in a moment.");
  const sample = element("canvas", { class: "by-now", role: "img", "aria-label": "frames of a held-out clip, and below them as they are redrawn by now" });
  const caption = element("p", { class: "hint" }, "Above, a clip that is held out; below, as it draws it by now.");
  for (const part of [sample, caption]) part.toggleAttribute("hidden", true);
  const place = element("figure", { class: "learning" }, drawing, told, sample, caption);
  const draw = (looks) => {
    if (!looks.length) return;
    drawing.toggleAttribute("hidden", looks.length < 2);
    const scores = looks.map((look) => look.psnr_db), low = Math.min(...scores), high = Math.max(...scores);
    const first = looks[0].step, span = looks.at(-1).step - first || 1;
    const x = (step) => EDGE + (WIDTH - 2 * EDGE) * (step - first) / span;
    const y = (score) => HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (score - low) / Math.max(high - low, 0.5);
    line.setAttribute("points", looks.map((look) => `${x(look.step)},${y(look.psnr_db)}`).join(" "));
    const top = looks[scores.indexOf(high)];
    best.setAttribute("cx", x(top.step));
    best.setAttribute("cy", y(high));
    told.textContent = `Held-out clips are redrawn at ${high.toFixed(1)} dB at best, after ${top.step} steps; ${looks.at(-1).psnr_db.toFixed(1)} dB at the last look, after ${looks.at(-1).step}.`;
    drawing.setAttribute("aria-label", told.textContent);
  };
  // What a held-out clip looks like by now: a `data:` URL, which is decoded here, since pictures come from this host alone.
  const show = async (picture) => {
    const bytes = Uint8Array.from(atob(picture.split(",")[1]), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/webp" }));
    [sample.width, sample.height] = [bitmap.width, bitmap.height];
    sample.getContext("2d").drawImage(bitmap, 0, 0);
    for (const part of [sample, caption]) part.toggleAttribute("hidden", false);
  };
  return { place, draw, show };
}
