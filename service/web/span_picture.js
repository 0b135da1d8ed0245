// A span's timeline as a picture on white paper, whatever the page's colours: frames above, curves below, extremes marked.

import { stampFrame } from "./pictures.js";
import { extremes } from "./timeline.js";

const WIDTH = 1200, LEFT = 64, RIGHT = 24, TOP = 52, SIDE = 128, APART = 8, PLOT = 300, BOTTOM = 88;
const INK = "#191d2b", MUTED = "#565d73", LINE = "#dfe2ec", FONT = "system-ui, sans-serif";
const COLOURS = ["#3350e8", "#c2410c", "#0f766e", "#9d2bb0", "#a16207", "#0369a1", "#be185d", "#4d7c0f"];
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]; // seconds between marks

export function spanPicture({ codes, frames }, name, { span: [first, last], dims }) {
  const canvas = document.createElement("canvas"), plotTop = TOP + SIDE + 16;
  canvas.width = WIDTH;
  canvas.height = plotTop + PLOT + BOTTOM;
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const dynamic = codes.dynamic.slice(first, last + 1), std = codes.dynamic_std.slice(first, last + 1);
  const times = codes.timestamps.slice(first, last + 1), length = times.at(-1) - times[0];
  const x = (at) => LEFT + (length > 0 ? (times[at] - times[0]) / length : 0.5) * (WIDTH - LEFT - RIGHT);
  const values = dims.flatMap((dim) => dynamic.flatMap((code, at) => [code[dim] - std[at][dim], code[dim] + std[at][dim]]));
  const low = Math.min(...values), high = Math.max(...values);
  const y = (value) => plotTop + (1 - (value - low) / (high - low || 1)) * PLOT;

  const say = (text, left, top, { size = 14, weight = 400, colour = MUTED, align = "left" } = {}) => {
    context.font = `${weight} ${size}px ${FONT}`;
    context.fillStyle = colour;
    context.textAlign = align;
    context.fillText(text, left, top);
  };
  say(name, LEFT, 32, { size: 18, weight: 600, colour: INK });
  say(`${codes.model} · frames ${first + 1} to ${last + 1} of ${codes.frames}`, WIDTH - RIGHT, 32, { align: "right" });

  const room = WIDTH - LEFT - RIGHT, count = Math.min(dynamic.length, Math.floor((room + APART) / (SIDE + APART)));
  for (let one = 0; one < count; one += 1) {
    // Each over the middle of its share of the span.
    const at = Math.floor((one + 0.5) / count * dynamic.length), left = LEFT + (one + 0.5) / count * room - SIDE / 2;
    stampFrame(context, frames, first + at, Math.round(left), TOP, SIDE);
  }

  const step = STEPS.find((one) => length / one <= 10) ?? 7200;
  const marks = length > 0 ? [...Array(Math.floor(times.at(-1) / step + 1e-6) + 1).keys()].map((one) => one * step).filter((time) => time >= times[0] - 1e-6) : [];
  for (const time of marks) {
    const left = LEFT + (time - times[0]) / length * room;
    stroke(context, [[left, plotTop], [left, plotTop + PLOT]], LINE, 1);
    say(Number(time.toFixed(2)), left, plotTop + PLOT + 20, { size: 13, align: "center" });
  }
  for (const value of [low, high, ...(low < 0 && high > 0 ? [0] : [])]) {
    stroke(context, [[LEFT, y(value)], [WIDTH - RIGHT, y(value)]], LINE, 1);
    say(value.toFixed(value ? 1 : 0), LEFT - 8, y(value) + 5, { size: 13, align: "right" });
  }
  dims.forEach((dim, place) => {
    const colour = COLOURS[dim % 8], edge = (sign) => dynamic.map((code, at) => [x(at), y(code[dim] + sign * std[at][dim])]);
    context.globalAlpha = 0.14;
    fill(context, [...edge(1), ...edge(-1).reverse()], colour);
    context.globalAlpha = 1;
    stroke(context, dynamic.map((code, at) => [x(at), y(code[dim])]), colour, 2.5);
    const left = LEFT + place * 64;
    dot(context, left + 6, plotTop + PLOT + 52, 5, colour, colour);
    say(`z${dim}`, left + 17, plotTop + PLOT + 57, { colour: INK });
  });
  for (const { dim, frame } of extremes(dynamic, dims)) dot(context, x(frame), y(dynamic[frame][dim]), 6, "#fff", COLOURS[dim % 8]);
  say("seconds; bands are one standard deviation, rings mark extremes", WIDTH - RIGHT, plotTop + PLOT + 57, { size: 13, align: "right" });
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
}

function trace(context, points) {
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
}

function stroke(context, points, colour, width) {
  trace(context, points);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.stroke();
}

function fill(context, points, colour) {
  trace(context, points);
  context.fillStyle = colour;
  context.fill();
}

function dot(context, x, y, radius, colour, edge) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.strokeStyle = edge;
  context.lineWidth = 2.5;
  context.stroke();
}
