"""How well words stand out from what is behind them, measured in the browser."""

CONTRAST = """(selector) => [...document.querySelectorAll(selector)].filter(
  (one) => one.innerText?.trim() && one.checkVisibility()).map((one) => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map(
      (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    let ground = one;
    const clear = (colour) => colour === "transparent" || (numbers(colour)[3] ?? 1) < 1;
    while (clear(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
    const [a, b] = [getComputedStyle(one).color, getComputedStyle(ground).backgroundColor]
      .map((colour) => light(numbers(colour))).sort((x, y) => y - x);
    return [one.className + ": " + one.innerText.slice(0, 30), (a + 0.05) / (b + 0.05)];
  })"""
"""for each element of a selector with words: what it is, and the contrast of its colours"""
