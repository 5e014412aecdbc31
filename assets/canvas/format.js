// Numbers and sentences as a person reads them.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Format a number with some significant digits; very small ones as a power of ten. */
export function number(value, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4) return power(value, Math.min(digits, 2));
  if (size >= 10 ** digits) return minus(Math.round(value).toLocaleString("en-US"));
  return minus(value.toPrecision(digits));
}

function power(value, digits) {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const raised = [...String(Math.abs(Number(exponent)))].map((one) => SUPERSCRIPTS[one]).join("");
  return `${minus(mantissa)} × 10${Number(exponent) < 0 ? "⁻" : ""}${raised}`;
}

/** Format a share of one as a percentage. */
export function percent(share) {
  const value = share * 100;
  if (!Number.isFinite(value)) return "–";
  if (value > 0 && value < 0.1) return "<0.1%";
  return `${value >= 9.95 ? Math.round(value) : value.toFixed(1)}%`;
}

function minus(text) {
  return text.replace("-", "−");
}

/** Return a lookup of texts that fills {placeholders}. */
export function speaker(texts) {
  return (key, values = {}) => {
    const template = texts[key];
    if (template === undefined) throw new Error(`no text "${key}"`);
    return template.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  };
}
