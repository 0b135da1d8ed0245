// The clips that come with the page: drawn by `twofold samples`, of identities that no shipped model has seen.

export const SAMPLES = [
  { file: "face_1.mp4", name: "Face 1", data: "faces" },
  { file: "face_2.mp4", name: "Face 2", data: "faces" },
  { file: "face_3.mp4", name: "Face 3", data: "faces" },
  { file: "face_4.mp4", name: "Face 4", data: "faces" },
  { file: "sprite_1.mp4", name: "Sprite 1", data: "sprites" },
  { file: "digits_1.mp4", name: "Digits 1", data: "digits" },
  { file: "digits_2.mp4", name: "Digits 2", data: "digits" },
];

// Those of the kind that a model has learnt; all where it has learnt something else.
export function samplesFor(model) {
  const fitting = SAMPLES.filter((one) => model.name.startsWith(one.data) || (model.data.name || "").toLowerCase().includes(one.data));
  return fitting.length ? fitting : SAMPLES;
}
