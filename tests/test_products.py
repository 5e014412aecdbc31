"""Products by vector instructions in the browser: their source, and the numbers they give."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
import pytest
import wasmtime

from tests.canvas_page import doors
from vizattn.ui.mounting import ASSETS

FOLDER = ASSETS / "canvas"


def test_what_the_script_holds_is_its_source_assembled() -> None:
    script = (FOLDER / "products.js").read_text(encoding="utf-8")
    held = re.search(r"const CODE = \[(.*?)\]", script, re.DOTALL)
    assert held is not None
    code = base64.b64decode("".join(re.findall(r'"([^"]*)"', held.group(1))))
    source = (FOLDER / "products.wat").read_text(encoding="utf-8")
    assert code == bytes(wasmtime.wat2wasm(source))


@pytest.mark.browser
@pytest.mark.parametrize("vectors", [True, False])
@pytest.mark.parametrize(("tables", "count", "length"), [(3, 5, 7), (2, 16, 8), (4, 33, 60)])
def test_products_are_those_of_the_definition(
    browser: Any, vectors: bool, tables: int, count: int, length: int
) -> None:
    random = np.random.default_rng(tables)
    numbers = random.normal(size=(tables, count, length)).astype(np.float32)
    line = random.normal(size=length).astype(np.float32)
    with doors(browser) as enter:
        got = enter(None).evaluate(
            """async ([numbers, line, vectors]) => {
              const { Products } = await import("/canvas/products.js");
              const made = new Products(numbers.length, numbers[0].length, line.length, vectors);
              numbers.forEach((lines, i) => lines.forEach((one, j) =>
                made.table.set(one, made.place(i, j, 0))));
              made.line.set(line);
              return { run: Boolean(made.run), sums: numbers.map((_, i) =>
                Array.from(made.of(i).slice(0, numbers[0].length))) };
            }""",
            [numbers.tolist(), line.tolist(), vectors],
        )
    assert got["run"] == vectors
    assert np.allclose(got["sums"], numbers.astype(np.float64) @ line, atol=1e-5)
