// What re-assembling saves: measured on this very picture, when somebody asks.

import { h } from "../canvas/dom.js";
import { button } from "../canvas/fields.js";
import { number } from "../canvas/format.js";

const UNITS = [["G", 1e9], ["M", 1e6], ["k", 1e3]];
const BYTES = [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]];

export class Cost {
  /** act: {measure()} */
  constructor(act) {
    this.button = button(() => act.measure());
    this.lead = h("p", { class: "va-quiet" });
    this.body = h("div", { class: "vc-scroll" });
    this.root = h("div", { class: "vc-cost" }, this.lead, this.button, this.body);
  }

  label(say) {
    this.say = say;
    this.button.textContent = say("cost.measure");
    this.lead.textContent = say("cost.lead");
  }

  /** Show the rows that were measured, or none yet. */
  show(rows) {
    this.button.hidden = Boolean(rows);
    this.body.replaceChildren(...(rows ? [this.table(rows), this.note(rows)] : []));
  }

  table(rows) {
    const { say } = this;
    const heads = ["stage", "tokens", "work", "memory", "time", "fused"];
    return h("table", {}, h("caption", { class: "va-hidden" }, say("facts.cost")),
      h("thead", {}, h("tr", {}, ...heads.map((name) => h("th", { scope: "col" },
        say(`cost.${name}`))))),
      h("tbody", {}, ...rows.flatMap((row) => [this.line(row, "joined"), this.line(row, "plain")])));
  }

  line(row, way) {
    const one = row[way];
    const first = way === "joined"
      ? h("th", { scope: "rowgroup", rowspan: "2" }, String(row.stage + 1)) : null;
    return h("tr", { class: `vc-${way}` }, first,
      h("td", {}, this.say(`cost.${way}`, { tokens: one.tokens.toLocaleString("en-US") })),
      h("td", {}, scaled(one.work, UNITS)),
      h("td", {}, scaled(one.bytes, BYTES)),
      h("td", {}, this.time(one.milliseconds)), h("td", {}, this.time(one.fused)));
  }

  time(milliseconds) {
    return milliseconds === null ? this.say("cost.skipped") : `${number(milliseconds, 2)} ms`;
  }

  note(rows) {
    const { say } = this;
    const skipped = rows.filter(({ plain }) => plain.milliseconds === null || plain.fused === null);
    return h("p", { class: "va-quiet" }, [say("cost.note"),
      skipped.length ? say("cost.skipped_note") : ""].filter(Boolean).join(say("sentence.join")));
  }
}

function scaled(value, units) {
  const [unit, size] = units.find(([, one]) => value >= one) ?? units[units.length - 1];
  return `${number(value / size, 3)} ${unit}`;
}
