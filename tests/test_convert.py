"""The authors' checkpoint becomes our network with the same answers; nothing else is let in."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.convert import (
    AUTHORS_PREPROCESSING,
    ConversionError,
    convert,
    load_converted,
    main,
    save_converted,
)
from tests import originals_crowd as originals
from tests.originals import Original

ROOT = Path(__file__).resolve().parent.parent
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def original() -> Original:
    return originals.csca_model(21, (64, 96), 0.05)


@pytest.fixture
def state(original: Original) -> State:
    """What the authors' network would give as its state_dict."""
    named = {k.removeprefix("param."): v for k, v in original.tensors.items() if "param." in k}
    return {
        name: torch.from_numpy(np.array(value, np.int64 if value.ndim == 0 else np.float32))
        for name, value in named.items()
    }


def answers(original: Original, network: nn.Module) -> bool:
    rgb, thermal = (
        torch.from_numpy(original.tensors[f"input.{sense}"]).float() for sense in ("rgb", "thermal")
    )
    with torch.inference_mode():
        density = network(rgb, thermal)
    expected = torch.from_numpy(original.tensors["output"]).float()
    return torch.allclose(density, expected, rtol=1e-4, atol=1e-5)


def written(folder: Path, held: Any, **options: Any) -> Path:
    torch.save(held, folder / "authors.pth", **options)
    return folder / "authors.pth"


FORMS: dict[str, Callable[[State], Any]] = {
    "alone": lambda state: state,
    "beside an optimiser": lambda state: {
        "epoch": 7,
        "optimizer_state_dict": {"state": {0: {"step": 3}}, "param_groups": [{"lr": 1e-5}]},
        "model_state_dict": state,
    },
    "as state_dict": lambda state: {"state_dict": state, "best": 14.3},
    "as model, of several GPUs": lambda state: {
        "model": {f"module.{name}": tensor for name, tensor in state.items()}
    },
    "half precision": lambda state: {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    },
    "without counted batches": lambda state: {
        name: tensor for name, tensor in state.items() if "num_batches" not in name
    },
    "as parameters": lambda state: {
        name: nn.Parameter(tensor) if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    },
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("zipped", [True, False])
def test_every_form_of_checkpoint(
    form: str, zipped: bool, original: Original, state: State, tmp_path: Path
) -> None:
    path = written(tmp_path, FORMS[form](state), _use_new_zipfile_serialization=zipped)
    assert main([str(path), str(tmp_path / "ours.safetensors")]) == 0
    network = load_converted(tmp_path / "ours.safetensors")
    assert not network.training
    if form != "half precision":
        assert answers(original, network)
    for name, tensor in load_file(tmp_path / "ours.safetensors").items():
        assert tensor.dtype == (torch.int64 if "num_batches" in name else torch.float32)


def test_what_is_said(state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ours.safetensors"
    assert main([str(written(tmp_path, {"state_dict": state})), str(out)]) == 0
    said = capsys.readouterr().out
    network = load_converted(out)
    numbers = sum(tensor.numel() for tensor in network.state_dict().values())
    for part in ("0.05", "3, 6, 12, 25, 25", f"{numbers:,}", "'state_dict'", "5 tensors", str(out)):
        assert part in said, part
    with safe_open(out, framework="np") as file:
        facts = file.metadata()
    assert json.loads(facts["preprocessing"]) == json.loads(json.dumps(AUTHORS_PREPROCESSING))


@pytest.mark.parametrize("ratio", [0.03125, 0.6, 0.1, 1.0, 0.37])
def test_the_width_is_recognised(ratio: float, tmp_path: Path) -> None:
    """The first layer of each stage is enough to know it; the rest is then missing."""
    widths = [int(full * ratio) for full in originals.WIDTHS]
    first = {
        f"block{i + 1}.rgb_conv.0.weight": torch.zeros(width, 1, 1, 1)
        for i, width in enumerate(widths)
    }
    with pytest.raises(ConversionError, match="missing tensors"):
        convert(written(tmp_path, first))
    first["block3.rgb_conv.0.weight"] = torch.zeros(widths[2] + 9, 1, 1, 1)
    with pytest.raises(ConversionError, match="no share of VGG-19's widths"):
        convert(written(tmp_path, first))


def test_the_authors_network(shared: Path, tmp_path: Path) -> None:
    tensors = load_file(shared / "reference" / "csca__model.safetensors")
    state = {k.removeprefix("param."): v for k, v in tensors.items() if "param." in k}
    converted = convert(written(tmp_path, state))
    assert converted.ratio == 0.03125
    assert converted.unused == sum("shared_conv" in k or "block1_depth" in k for k in state)
    save_converted(converted, tmp_path / "ours.safetensors")
    network = load_converted(tmp_path / "ours.safetensors")
    with torch.inference_mode():
        density = network(tensors["input.rgb"], tensors["input.thermal"])
    assert torch.allclose(density, tensors["output"], rtol=1e-5, atol=1e-5)


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def spoilt(change: Callable[[State], Any]) -> Callable[[Path, State], Path]:
    def make(folder: Path, state: State) -> Path:
        return written(folder, change(dict(state)))

    return make


def replaced(name: str, tensor: Callable[[Tensor], Tensor]) -> Callable[[Path, State], Path]:
    return spoilt(lambda state: state | {name: tensor(state[name])})


def without(name: str) -> Callable[[Path, State], Path]:
    return spoilt(lambda state: {k: v for k, v in state.items() if k != name})


def raw(data: bytes) -> Callable[[Path, State], Path]:
    def make(folder: Path, _: State) -> Path:
        (folder / "authors.pth").write_bytes(data)
        return folder / "authors.pth"

    return make


def cut(folder: Path, state: State) -> Path:
    path = written(folder, state)
    path.write_bytes(path.read_bytes()[:-2000])
    return path


REFUSED: dict[str, tuple[Callable[[Path, State], Path], str]] = {
    "absent": (lambda folder, _: folder / "absent.pth", "cannot be read: No such file"),
    "a folder": (lambda folder, _: folder, "cannot be read"),
    "empty": (raw(b""), "not a checkpoint"),
    "text": (raw(b"These are no numbers.\n" * 40), "not a checkpoint"),
    "zeros": (raw(bytes(4096)), "not a checkpoint"),
    "a picture": (raw(b"\x89PNG\r\n\x1a\n" + bytes(500)), "not a checkpoint"),
    "cut short": (cut, "not a checkpoint"),
    "a plain pickle": (raw(pickle.dumps({"weights": [1, 2]})), "checkpoint"),
    "safetensors": (
        lambda folder, state: save_file(state, folder / "authors.pth") or folder / "authors.pth",
        "not a checkpoint",
    ),
    "a whole module": (spoilt(lambda _: nn.Linear(2, 2)), "it holds code (torch.nn.modules.linear"),
    "a number": (spoilt(lambda _: 3), "holds no named tensors"),
    "a list": (spoilt(lambda state: list(state.values())), "holds no named tensors"),
    "nothing": (spoilt(lambda _: {}), "holds no named tensors"),
    "an empty model": (spoilt(lambda _: {"model": {}}), "holds no named tensors"),
    "numbers beside tensors": (spoilt(lambda state: state | {"epoch": 3}), "no named tensors"),
    "sparse": (
        replaced("reg_layer.4.weight", lambda t: t.flatten(1).to_sparse()),
        "holds no named tensors",
    ),
    "another network": (spoilt(lambda _: nn.Linear(2, 2).state_dict()), "expected tensors like"),
    "first layers that are vectors": (
        replaced("block1.rgb_conv.0.weight", lambda t: t.flatten()),
        "expected tensors like",
    ),
    "no width": (replaced("block2.rgb_conv.0.weight", lambda t: t[:0]), "no share of VGG-19"),
    "beyond memory": (
        spoilt(
            lambda state: (
                state
                | {
                    f"block{i + 1}.rgb_conv.0.weight": torch.zeros(1).expand(full * 10**4, 3, 3, 3)
                    for i, full in enumerate(originals.WIDTHS)
                }
            )
        ),
        "no share of VGG-19",
    ),
    "a tensor missing": (without("block4.T_key.2.running_var"), "missing tensors"),
    "a tensor too many": (
        spoilt(lambda state: state | {"block9.T_W.bias": torch.zeros(3)}),
        "unexpected tensors",
    ),
    "transposed": (replaced("reg_layer.2.weight", lambda t: t.transpose(0, 1)), "expected shape"),
    "no number": (replaced("block5.gate_T.bias", lambda t: t / 0 * 0), "finite"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_such_checkpoint_is_refused_in_one_line(
    name: str, state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, reason = REFUSED[name]
    out = tmp_path / "ours.safetensors"
    assert main([str(make(tmp_path, state)), str(out)]) == 2
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 1, captured.err
    assert captured.err.startswith("convert: ")
    assert reason in captured.err
    assert not captured.out
    assert not out.exists()


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_never_run(
    nested: bool, zipped: bool, state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sprung = tmp_path / "sprung"
    trap = Trap(f"touch {sprung}")
    held = {"model_state_dict": state, "epoch": trap} if nested else trap
    path = written(tmp_path, held, _use_new_zipfile_serialization=zipped)
    assert main([str(path), str(tmp_path / "ours.safetensors")]) == 2
    assert "beside numbers it holds code (posix.system)" in capsys.readouterr().err
    assert not sprung.exists()
    torch.load(path, weights_only=False)
    assert sprung.exists(), "the trap itself must work, or this test says nothing"


def test_damaged_bytes_never_end_in_a_traceback(state: State, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for zipped in (True, False):
        path = written(tmp_path, state, _use_new_zipfile_serialization=zipped)
        right = path.read_bytes()
        for _ in range(30):
            damaged = bytearray(right)
            for position in rng.integers(0, min(len(right), 4000), size=3):
                damaged[position] = rng.integers(0, 256)
            path.write_bytes(damaged)
            try:
                convert(path)
            except ConversionError as error:
                assert "\n" not in str(error)


def test_where_nothing_can_be_written(
    state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, state)
    kept = path.read_bytes()
    for out, reason in (
        (tmp_path / "absent" / "ours.safetensors", "cannot be written"),
        (tmp_path, "cannot be written"),
        (path, "is the checkpoint itself"),
    ):
        assert main([str(path), str(out)]) == 2
        captured = capsys.readouterr()
        assert len(captured.err.splitlines()) == 1
        assert reason in captured.err
    assert path.read_bytes() == kept


def test_only_what_was_converted_is_loaded(state: State, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    for make, reason in (
        (lambda: path.write_text("no numbers"), "cannot be read"),
        (lambda: save_file(state, path), "names no width"),
        (lambda: save_file(state, path, {"ratio": "wide"}), "cannot be read"),
        (lambda: save_file(state, path, {"ratio": "1e9"}), "names no width"),
        (lambda: save_file(state, path, {"ratio": "0.05"}), "missing tensors"),
        (path.unlink, "cannot be read"),
    ):
        make()
        with pytest.raises(ConversionError, match=reason):
            load_converted(path)


def test_as_a_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "models.convert", "absent.pth", "ours.safetensors"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "convert: absent.pth cannot be read: No such file or directory"
    ]
