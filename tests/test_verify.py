"""``verify``: any file of the reference format passes if right, fails if wrong, else says why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from models.reference import ReferenceFileError, replay
from tests import originals
from tests.originals import Original
from tests.replays import BUNDLED, check_all_compared, content
from vizattn.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
ODD, TALL, ONE_ROW = (7, 5), (12, 3), (1, 9)

FILES: dict[str, Callable[[], Original]] = {
    "se reduction 2": partial(originals.se_layer, 1, ODD, 10, 2),
    "se default reduction": partial(originals.se_layer, 2, TALL, 32, None),
    "se one place": partial(originals.se_layer, 3, (1, 1), 8, 4),
    "timm defaults": partial(originals.se_module, 4, ODD, 8, 64),
    "timm ratio": partial(originals.se_module, 5, ODD, 16, 64, rd_ratio=0.25),
    "timm ratio and divisor": partial(
        originals.se_module, 6, TALL, 12, 48, rd_ratio=0.22, rd_divisor=4
    ),
    "timm rounds down": partial(originals.se_module, 7, ODD, 8, 40, rd_ratio=0.25),
    "timm divisor 1": partial(originals.se_module, 8, ODD, 3, 13, rd_ratio=0.25, rd_divisor=1),
    "timm no bias": partial(originals.se_module, 9, ODD, 5, 16, rd_channels=5, bias=False),
    "timm with maxima": partial(originals.se_module, 10, ODD, 8, 24, add_maxpool=True),
    "timm spelt out": partial(
        originals.se_module,
        11,
        ODD,
        8,
        24,
        act_layer="nn.ReLU",
        norm_layer=None,
        gate_layer="sigmoid",
    ),
    "cbam": partial(originals.cbam, 12, ODD, 12, 3),
    "cbam no spatial": partial(originals.cbam, 13, TALL, 8, 2, ("avg",), True),
    "cbam lp and lse": partial(originals.cbam, 14, ODD, 8, 4, ("lse", "lp")),
    "cbam all pools": partial(originals.cbam, 15, (9, 9), 8, 2, ("avg", "max", "lp", "lse")),
    "cbam max": partial(originals.channel_gate, 16, ODD, 20, 5, ("max",)),
    "cbam lp": partial(originals.channel_gate, 17, ODD, 8, 1, ("lp",)),
    "cbam lse and max": partial(originals.channel_gate, 18, ODD, 8, 8, ("lse", "max")),
    "cbam spatial": partial(originals.spatial_gate, 19, TALL, 3),
    "cbam spatial one row": partial(originals.spatial_gate, 20, ONE_ROW, 6),
    **{
        f"{function} sub {sub} norm {norm} {channels} {inner}": partial(
            originals.non_local, 21 + channels, size, function, channels, inner, sub, norm
        )
        for function in ("gaussian", "embedded_gaussian", "dot_product", "concatenation")
        for sub, norm, channels, inner, size in (
            (False, True, 6, None, ODD),
            (True, True, 8, 3, ODD),
            (True, False, 9, None, (3, 10)),
            (False, False, 1, None, TALL),
            (False, True, 5, 7, ONE_ROW),
        )
    },
    **{
        f"mmcv {mode} {reduction} {scale} {norm} {sub}": partial(
            originals.mm_non_local, 40 + reduction, ODD, mode, 6, reduction, scale, norm, sub
        )
        for mode in ("gaussian", "embedded_gaussian", "dot_product", "concatenation")
        for reduction, scale, norm, sub in (
            (1, True, None, False),
            (2, False, {"type": "BN"}, True),
            (3, True, {"type": "BN", "eps": 1e-3, "requires_grad": True}, False),
            (8, True, None, True),
        )
    },
    "danet position": partial(originals.danet_position, 60, ODD, 24),
    "danet position 11 channels": partial(originals.danet_position, 61, ONE_ROW, 11),
    "danet channel": partial(originals.danet_channel, 62, TALL, 7),
    "danet head": partial(originals.danet_head, 63, ODD, 40, 2),
    "danet head 35 channels": partial(originals.danet_head, 64, (4, 11), 35, 11),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_bundled_files_pass(path: Path, dtype: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(path), "--dtype", dtype]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert line.startswith("PASS")
    assert path.name in line
    tensors, _ = content(path)
    assert all(name in line for name in tensors if name.startswith("attention."))
    assert total.startswith("1 of 1 files")


def test_without_arguments_all_bundled_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(BUNDLED) >= 18
    assert main(["verify"]) == 0
    out = capsys.readouterr().out
    assert all(path.name in out for path in BUNDLED)


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_sizes_and_arguments_pass(name: str, tmp_path: Path) -> None:
    path = FILES[name]().write(tmp_path)
    check_all_compared(path)
    assert main(["verify", str(path), "--dtype", "float32"]) == 0


def test_rounding_of_large_sums_in_single_precision_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At this size the channel energies are thousands: the original's rounding alone is 1e-4."""
    file = Original("danet", "channel", "CAM_Module", {"in_dim": 64}, 0, (32, 32))
    x = torch.from_numpy(file.draw(2, 64, 32, 32, scale=1)).float()
    flat = x.flatten(2)
    energy = torch.bmm(flat, flat.transpose(1, 2))
    affinity = (energy.amax(-1, keepdim=True) - energy).softmax(-1)
    y = torch.bmm(affinity, flat).reshape(x.shape) + x
    named = {"param__gamma": torch.ones(1), "input": x, "output": y}
    file.give(**{name: value.numpy() for name, value in named.items()})
    path = file.give(attention__affinity=affinity.numpy()).write(tmp_path)
    assert main(["verify", str(path)]) == 0
    assert "float32" in capsys.readouterr().out
    assert main(["verify", str(path), "--dtype", "float64"]) == 1


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(2, 14), st.integers(2, 14)),
    function=st.sampled_from(["gaussian", "embedded_gaussian", "dot_product", "concatenation"]),
    channels=st.integers(1, 20),
    inner=st.one_of(st.none(), st.integers(1, 9)),
    sub=st.booleans(),
    norm=st.booleans(),
)
def test_any_non_local_file_passes(
    seed: int,
    size: tuple[int, int],
    function: str,
    channels: int,
    inner: int | None,
    sub: bool,
    norm: bool,
    tmp_path: Path,
) -> None:
    file = originals.non_local(seed, size, function, channels, inner, sub, norm)
    assert replay(file.write(tmp_path)).passed


@pytest.mark.parametrize(
    "name",
    [
        "se reduction 2",
        "cbam",
        "danet position",
        "danet head",
        "mmcv gaussian 2 False {'type': 'BN'} True",
    ],
)
def test_one_wrong_number_fails(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = FILES[name]()
    right = original.write(tmp_path)
    for key in [key for key in original.tensors if key.startswith(("output", "attention."))]:
        wrong = FILES[name]()
        values = wrong.tensors[key].copy()
        values.flat[values.size // 2] += 1e-3
        wrong.tensors[key] = values
        folder = tmp_path / key
        folder.mkdir()
        assert main(["verify", str(wrong.write(folder)), str(right)]) == 1
        first, second, total = capsys.readouterr().out.splitlines()
        assert first.startswith("FAIL")
        assert "1.0e-03" in first
        assert second.startswith("PASS")
        assert total.startswith("1 of 2 files")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_fails(
    value: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = originals.se_layer(1, ODD, 8, 2)
    file.tensors["output"].flat[3] = value
    path = file.write(tmp_path)
    assert main(["verify", str(path)]) == 1
    assert "nan" in (out := capsys.readouterr().out) or "inf" in out
    assert main(["verify", str(path), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["files"][0]["errors"]["output"] is None


def test_a_wrong_parameter_or_input_fails(tmp_path: Path) -> None:
    for key in ("param.fc.0.weight", "input"):
        file = originals.se_layer(1, ODD, 8, 2)
        file.tensors[key] = file.tensors[key] + 0.1
        assert main(["verify", str(file.write(tmp_path))]) == 1


def test_json_says_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = FILES["danet head"]().write(tmp_path)
    assert main(["verify", str(good), str(tmp_path / "absent"), "--json"]) == 2
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    (file,) = report["files"]
    assert file["dtype"] == "float64"
    assert file["file"] == str(good)
    assert file["slug"] == "danet__head"
    assert file["passed"] is True
    assert list(file["errors"]) == ["output", "attention.channel", "attention.position"]
    assert all(0 <= error < 1e-5 for error in file["errors"].values())
    assert report["refused"][0]["file"].endswith("absent")
    assert len(captured.err.splitlines()) == 1


def spoil(**changes: object) -> Callable[[Path], Path]:
    """Return a maker of an SE file with other metadata; None leaves an entry out."""

    def make(folder: Path) -> Path:
        tensors, metadata = content(originals.se_layer(1, ODD, 8, 2).write(folder))
        metadata |= {key.rstrip("_"): value for key, value in changes.items() if value is not None}
        for key in [key.rstrip("_") for key, value in changes.items() if value is None]:
            del metadata[key]
        save_file(tensors, folder / "spoilt.safetensors", metadata)
        return folder / "spoilt.safetensors"

    return make


def replace(**changes: np.ndarray | None) -> Callable[[Path], Path]:
    """Return a maker of an SE file with other tensors; None leaves one out."""

    def make(folder: Path) -> Path:
        tensors, metadata = content(originals.se_layer(1, ODD, 8, 2).write(folder))
        for key, value in ((key.replace("__", "."), value) for key, value in changes.items()):
            if value is None:
                del tensors[key]
            else:
                tensors[key] = value.astype(np.float32)
        save_file(tensors, folder / "spoilt.safetensors", metadata)
        return folder / "spoilt.safetensors"

    return make


def written(data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "spoilt.safetensors").write_bytes(data)
        return folder / "spoilt.safetensors"

    return make


SE = (ROOT / "tests" / "reference" / "se.safetensors").read_bytes()
UNUSABLE: dict[str, Callable[[Path], Path]] = {
    "absent": lambda folder: folder / "absent.safetensors",
    "folder": lambda folder: folder,
    "empty": written(b""),
    "text": written(b"These are not the numbers.\n" * 50),
    "zeros": written(bytes(4096)),
    "huge header": written(b"\xff" * 8 + SE[8:]),
    "cut in the header": written(SE[:300]),
    "cut in the numbers": written(SE[:-40]),
    "no metadata": spoil(slug=None, mechanism=None, variant=None, class_=None, kwargs=None),
    "no kwargs": spoil(kwargs=None),
    "no class": spoil(class_=None),
    "unknown class": spoil(class_="SEBlock"),
    "class of another mechanism": spoil(class_="CBAM"),
    "unknown mechanism": spoil(mechanism="squeeze", slug="squeeze"),
    "kwargs no JSON": spoil(kwargs="channel=8"),
    "kwargs a list": spoil(kwargs="[8, 2]"),
    "kwargs null": spoil(kwargs="null"),
    "args no list": spoil(kwargs='{"args": 8}'),
    "too many args": spoil(kwargs='{"args": [8, 2, 3]}'),
    "unknown argument": spoil(kwargs='{"channel": 8, "reduction": 2, "depth": 3}'),
    "argument twice": spoil(kwargs='{"channel": 8, "variant": "x"}'),
    "argument a text": spoil(kwargs='{"channel": "8", "reduction": 2}'),
    "argument null": spoil(kwargs='{"channel": null, "reduction": 2}'),
    "argument a fraction": spoil(kwargs='{"channel": 8.5, "reduction": 2}'),
    "reduction zero": spoil(kwargs='{"channel": 8, "reduction": 0}'),
    "reduction too large": spoil(kwargs='{"channel": 8, "reduction": 16}'),
    "channels negative": spoil(kwargs='{"channel": -8, "reduction": 2}'),
    "channels beyond memory": spoil(kwargs='{"channel": 100000000000, "reduction": 2}'),
    "channels beyond integers": spoil(kwargs='{"channel": 1e400, "reduction": 2}'),
    "other channels": spoil(kwargs='{"channel": 16, "reduction": 2}'),
    "no input": replace(input=None),
    "input with other channels": replace(input=np.ones((2, 6, 7, 5))),
    "input without places": replace(input=np.ones((2, 8))),
    "input without rows": replace(input=np.ones((2, 8, 5))),
    "two inputs": replace(input__1=np.ones((2, 8, 7, 5))),
    "parameter missing": replace(param__fc__0__weight=None),
    "parameter transposed": replace(param__fc__0__weight=np.ones((8, 4))),
    "parameter unknown": replace(param__fc__9__weight=np.ones((8, 4))),
    "no output": replace(output=None),
    "output of another shape": replace(output=np.ones((2, 8, 5, 7))),
    "output that we do not have": replace(output__3=np.ones((2, 8))),
    "attention that we do not have": replace(attention__spatial=np.ones((2, 1, 7, 5))),
    "attention of another shape": replace(attention__channel=np.ones((2, 8, 1, 1))),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_that_does_not_fit_is_refused_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = UNUSABLE[name](tmp_path)
    failing = originals.se_layer(5, ODD, 8, 2)
    failing.tensors["output"] += 1e-2
    assert main(["verify", str(path), str(BUNDLED[0]), str(failing.write(tmp_path))]) == 2
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 1, captured.err
    assert captured.err.startswith("vizattn verify: ")
    assert "Traceback" not in captured.err
    verdicts = [line.split()[0] for line in captured.out.splitlines()]
    assert verdicts == ["PASS", "FAIL", "1"], "the others are replayed all the same"


def test_damaged_bytes_never_end_in_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.safetensors"
    header = 8 + int.from_bytes(SE[:8], "little")
    for _ in range(150):
        damaged = bytearray(SE)
        for position in rng.integers(0, header, size=3):
            damaged[position] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            replay(path)
        except ReferenceFileError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "kwargs",
    ['{"gate_channels": 16, "pool_types": ["median"]}', '{"gate_channels": 16, "pool_types": []}'],
)
def test_pools_that_nobody_has_are_refused(kwargs: str, tmp_path: Path) -> None:
    file = originals.cbam(1, ODD, 16, 4)
    assert main(["verify", str(file.write(tmp_path, kwargs=kwargs))]) == 2


@pytest.mark.parametrize(
    "changes",
    [{"mode": "cosine"}, {"norm_cfg": {"type": "GN", "num_groups": 2}}, {"norm_cfg": "BN"}],
)
def test_modes_and_norms_that_nobody_has_are_refused(
    changes: dict[str, object], tmp_path: Path
) -> None:
    file = originals.mm_non_local(1, ODD, "gaussian", 6)
    file.kwargs |= changes
    assert main(["verify", str(file.write(tmp_path))]) == 2


def test_the_function_comes_from_the_variant_or_the_slug(tmp_path: Path) -> None:
    file = originals.non_local(3, ODD, "dot_product", 6)
    assert replay(file.write(tmp_path, variant="")).passed
    assert replay(file.write(tmp_path, slug="nonlocal__dot_product__seed_3")).passed
    with pytest.raises(ReferenceFileError, match="does not fit nonlocal"):
        replay(file.write(tmp_path, variant="cosine"))


def test_as_a_program(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "vizattn", "verify"]
    good = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.count("PASS") == len(BUNDLED)
    text = tmp_path / "text.safetensors"
    text.write_text("no numbers")
    bad = subprocess.run(
        [*command, str(text)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert bad.returncode == 2
    assert len(bad.stderr.splitlines()) == 1
