// A class activation map: like a gate's map, with a scale and words of its own from the payload.

import { makeScale } from "../canvas/colours.js";
import { number } from "../canvas/format.js";
import { MapSite } from "../canvas/sites/spatial.js";

export class ClassMapSite extends MapSite {
  scale(state) {
    const high = state.scale === "fixed" ? this.site.fixed : this.range[1];
    return makeScale(0, high || 1);
  }

  legend(state) {
    return { label: this.site.legend[state.scale], ticks: [] };
  }

  numbers(state, say) {
    const mean = this.values.reduce((sum, value) => sum + value, 0) / this.values.length;
    const here = this.pointed(state);
    return [
      [say("numbers.range"), `${number(this.range[0])} … ${number(this.range[1])}`],
      [say("numbers.mean"), number(mean)],
      ...(here ? [[say("numbers.here"), number(here.value)]] : []),
    ];
  }

  sentence() {
    return this.site.said;
  }
}
