// Frames on canvases: uint8 RGB arrays drawn as they are, and many of them played in step.

import { calm, element } from "./elements.js";

const scratch = document.createElement("canvas");

export function frameCanvas(height, width, attributes = {}) {
  return element("canvas", { width, height, class: "frame", role: "img", ...attributes });
}

// Draw the picture that begins at `offset` (in bytes) of an array of RGB pictures.
export function drawFrame(canvas, array, index) {
  const [height, width] = array.shape.slice(-3);
  drawPixels(canvas, array.data, index * height * width * 3, height, width);
}

export function drawPixels(canvas, data, offset, height, width) {
  const image = new ImageData(width, height), pixels = image.data;
  for (let from = offset, to = 0; to < pixels.length; from += 3, to += 4) {
    pixels[to] = data[from];
    pixels[to + 1] = data[from + 1];
    pixels[to + 2] = data[from + 2];
    pixels[to + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// Draw one frame into a rectangle of a larger canvas.
export function stampFrame(context, array, index, x, y, side) {
  const [height, width] = array.shape.slice(-3);
  scratch.width = width;
  scratch.height = height;
  drawFrame(scratch, array, index);
  context.imageSmoothingEnabled = side < width;
  context.drawImage(scratch, x, y, side, side);
}

// A picture that stays; without a label it says nothing that is not written beside it.
export function still(array, index, label) {
  const [height, width] = array.shape.slice(-3);
  const canvas = frameCanvas(height, width, label ? { "aria-label": label } : { "aria-hidden": "true" });
  drawFrame(canvas, array, index);
  return canvas;
}

// A clock that calls `show(frame)` at the clip's own rate while it plays; `stop` when the view goes.
export function player(frames, fps, show, onState = () => {}) {
  let frame = 0, first = 0, playing = false, began, request = 0;
  const tick = (now) => {
    if (!playing) return;
    began ??= now;  // a browser's frame may have begun before whoever asked for it
    const due = (first + Math.floor((now - began) / 1000 * (fps || 12))) % frames;
    if (due !== frame) show(frame = due);
    request = requestAnimationFrame(tick);
  };
  const self = {
    get frame() { return frame; },
    get playing() { return playing; },
    seek(to) {
      frame = first = Math.max(0, Math.min(frames - 1, to));
      began = undefined;
      show(frame);
    },
    play() {
      if (playing || frames < 2) return;
      playing = true;
      first = frame;
      began = undefined;
      request = requestAnimationFrame(tick);
      onState(true);
    },
    stop() {
      if (!playing) return;
      playing = false;
      cancelAnimationFrame(request);
      onState(false);
    },
    toggle() { playing ? self.stop() : self.play(); },
    start() { show(frame); if (!calm()) self.play(); },
  };
  return self;
}

export function playButton(clock, label = "Play") {
  return element("button", { type: "button", class: "play", "aria-pressed": "false", "aria-label": label, onclick: () => clock().toggle() }, "▶");
}

export function showPlaying(button, playing) {
  button.textContent = playing ? "❚❚" : "▶";
  button.setAttribute("aria-pressed", String(playing));
}
