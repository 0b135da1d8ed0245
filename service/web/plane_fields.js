// What the plane goes along, and how far: two dimensions of the dynamic code, or its principal axes.

import { labelled, select } from "./elements.js";

const ALONG = [["dims", "two dimensions"], ["principal", "principal axes"]];

// Controls that show what `grid` has, and turn to what is chosen instead.
export function planeFields({ model, grid, extent, extents, usual, turn }) {
  const along = labelled("Along", select(ALONG, grid.principal ? "principal" : "dims",
    (next) => turn({ dims: next === "principal" ? next : usual })));
  const wide = labelled("Extent (σ)", select(extents.map((one) => [one, one]), extent, (next) => turn({ extent: next })));
  if (grid.principal) return [along, wide];
  const [across, up] = grid.dims.split(",");
  const chooser = (text, chosen, onchange) => labelled(text,
    select([...Array(model.dynamic_dim).keys()].map((dim) => [dim, `z${dim}`]), chosen, (dim) => turn({ dims: onchange(dim) })));
  // Choosing the other's dimension exchanges them.
  return [along, wide,
    chooser("Across", across, (dim) => dim === up ? `${up},${across}` : `${dim},${up}`),
    chooser("Up", up, (dim) => dim === across ? `${up},${across}` : `${across},${dim}`)];
}
