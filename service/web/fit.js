// Whether a clip's codes may be trusted, in a sentence.

import { element } from "./elements.js";

export function fitNote(fit, model) {
  const quality = fit.psnr_db != null ? `it redraws it at ${fit.psnr_db.toFixed(1)} dB` : "";
  if (fit.typical === null) return note("unknown", "No verdict:", ` ${model} keeps no measures of held-out clips to compare with${quality && `; ${quality}`}.`);
  if (fit.typical) {
    const rank = fit.percentile != null ? `, at least as well as ${Math.round(fit.percentile)} % of the clips of its own kind` : "";
    return note("typical", "This clip fits the model:", ` ${quality}${rank}.`);
  }
  return note("foreign", "Do not trust these codes:", ` ${fit.reason || quality}. ${model} has learnt from other things than this clip shows.`);
}

const note = (kind, verdict, text) => element("p", { class: `note fit ${kind}` }, element("b", {}, verdict), text);
