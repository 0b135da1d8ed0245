// The models that are served, and the one that is chosen.

import { json } from "./api.js";

export let models = [];

export async function loadModels() {
  ({ models } = await json("/models"));
  return models;
}

export const modelNamed = (name) => models.find((one) => one.name === name) || models[0];

const FAMILIES = { unordered_vae: "unordered VAE", drnet: "DrNET" };

export const told = (model) => `${FAMILIES[model.family] || model.family} of ${model.data.name || "unnamed data"}`;

export const sizes = (model) => [
  `${model.image_size} × ${model.image_size} pixels${model.motion ? ", predicts motion" : ""}`,
  `static ${model.static_dim}, dynamic ${model.dynamic_dim}`,
];
