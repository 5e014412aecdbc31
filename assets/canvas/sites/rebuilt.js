// What a step of an assignment rebuilds a place from: its mixture of the means of all bases.

import { decodeFloats } from "../codec.js";
import { cells } from "../grids.js";
import { RowsSite } from "./rows.js";

const FORMULA = "rᵢⱼ = Σₖ Zᵢₖ Zⱼₖ / Σₗ Zₗₖ";

/** Rows that follow from a site's maps; they are computed here and no check has measured them. */
export class RebuiltSite extends RowsSite {
  constructor(site, scene) {
    const { grid } = site.maps;
    super({ ...site, origin: site, kind: "place_affinity", claim: "simplex", formula: FORMULA,
      remark: "facts.rebuilt", note: null, shape: null, checks: [], query_grid: grid,
      key_grid: grid, heads: site.maps.heads ?? 1, extra: [], bands: 1, affinity: mixture(site.maps) }, scene);
  }
}

/** Z times the shares that each place has in the mean of each basis, as a product of factors. */
function mixture({ count, grid, values, heads = 1 }) {
  const maps = decodeFloats(values);
  const places = cells(grid);
  const own = count / heads;
  const query = new Float32Array(places * count);
  const key = new Float32Array(places * count);
  for (let basis = 0; basis < count; basis += 1) {
    const map = maps.subarray(basis * places, (basis + 1) * places);
    const mass = Math.max(map.reduce((sum, value) => sum + value, 0), 1e-12);
    const first = Math.floor(basis / own) * places * own + (basis % own);
    map.forEach((value, place) => {
      query[first + place * own] = value;
      key[first + place * own] = value / mass;
    });
  }
  return { form: "product", normaliser: "none", scale: 1, dim: own, query, key };
}
