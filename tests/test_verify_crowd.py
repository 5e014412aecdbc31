"""``verify`` on the crowd counter's files: CSCA, its loss, density maps and GAME, of any size."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from models.counting.procedure import procedures
from models.mechanism import mechanisms
from models.reference import replay
from tests import originals_crowd as originals
from tests.originals import Original
from tests.replays import REFERENCE, check_all_compared, content
from vizattn.__main__ import main

FUNCTIONS = ("bayesian_loss", "csca__bayesian_loss", "density", "game")

FILES: dict[str, Callable[[], Original]] = {
    "fused, no runs": partial(originals.csca_fuse, 1, (6, 9), 8, 0),
    "fused, odd channels": partial(originals.csca_fuse, 2, (5, 6), 7, 1),
    "fused, runs that break rows": partial(originals.csca_fuse, 3, (8, 6), 6, 4),
    "block that pools odd sides": partial(originals.csca_block, 4, (9, 15), [6, 8, "M"], 5, 1),
    "first block": partial(originals.csca_block, 5, (10, 15), [4, "M"], 3, 2, first_block=True),
    "block of depth": partial(
        originals.csca_block, 6, (8, 8), [4], 3, 1, first_block=True, D_in_channels=True
    ),
    "scales": partial(originals.csca_msc, 7, (11, 6), 5),
    "network": partial(originals.csca_model, 8, (64, 96), 0.05),
    "loss": partial(originals.bayesian_loss, 9, (3, 0, 5, 1), 7, 4, 5.5, 0.3),
    "loss of a large crop": partial(originals.bayesian_loss, 10, (30, 10), 32, 16, 8.0, 0.05),
    "loss of an empty place": partial(originals.bayesian_loss, 11, (0,), 3, 8, 8.0, 0.15),
    "csca's loss": partial(originals.csca_bayesian_loss, 12, (0, 1, 12), 5, 8, 8.0, 0.4),
    "csca's loss of empty places": partial(
        originals.csca_bayesian_loss, 13, (0, 0), 5, 8, 8.0, 0.15
    ),
    "density": partial(originals.density, 14, (30, 41), 20),
    "density, wider than the map": partial(originals.density, 15, (12, 10), 6, (100, 2.5)),
    **{
        f"density of {count} points": partial(originals.density, 16, (20, 15), count, (3,))
        for count in (0, 1, 2, 3, 4)
    },
    "game": partial(originals.game, 17, {"even": ((48, 72), 5), "odd": ((45, 71), 6)}),
    "game of more cells than pixels": partial(originals.game, 18, {"tiny": ((3, 2), 4)}),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_sizes_and_arguments_pass(name: str, tmp_path: Path) -> None:
    path = FILES[name]().write(tmp_path)
    check_all_compared(path)
    assert main(["verify", str(path)]) == 0


def test_everything_in_the_bundled_files_is_compared() -> None:
    paths = sorted(REFERENCE.glob("csca*")) + [REFERENCE / f"{n}.safetensors" for n in FUNCTIONS]
    assert len(paths) >= 11
    for path in paths:
        check_all_compared(path)


def test_the_authors_network_passes(shared: Path) -> None:
    path = shared / "reference" / "csca__model.safetensors"
    check_all_compared(path)


@pytest.mark.parametrize("name", ["first block", "loss", "csca's loss", "density", "game"])
def test_one_wrong_number_fails(name: str, tmp_path: Path) -> None:
    file = FILES[name]()
    for key in [key for key in file.tensors if key.startswith(("output", "attention."))]:
        right = file.tensors[key]
        wrong = right.copy()
        wrong.flat[wrong.size // 2] += 1e-3 * (1 + abs(wrong.flat[wrong.size // 2]))
        file.tensors[key] = wrong
        assert main(["verify", str(file.write(tmp_path))]) == 1, key
        file.tensors[key] = right


def in_single_precision(seed: int, size: int, ratio: float, reach: str) -> Original:
    """A large crop as the original computes it: squares in float32, from a² - 2 a c + c²."""
    kwargs = {"sigma": 8.0, "c_size": size, "stride": 8, "background_ratio": ratio}
    named = {
        "difference": ("csca", "bayesian_loss", "Post_Prob + Bay_Loss"),
        "ratio": ("bayesian_loss", "", "Post_Prob, Bay_Loss"),
    }[reach]
    file = Original(*named, kwargs, seed, (size // 8, size // 8))
    density = torch.from_numpy(np.abs(file.draw(1, 1, *file.size))).float()
    at = torch.from_numpy(file.rng.uniform(0, size, (40, 2))).float()
    centre = torch.arange(0, size, 8).float() + 4
    x, y = (-2 * (a[:, None] * centre) + a[:, None] ** 2 + centre**2 for a in at.T)
    squares = (y[:, :, None] + x[:, None]).flatten(1)
    nearest = squares.amin(0, keepdim=True).clamp(min=0)
    d = torch.tensor(2.0 * size) * ratio
    far = (d - nearest.sqrt()) ** 2 if reach == "difference" else d**2 / (nearest + 1e-5)
    shares = (-torch.cat([squares, far]) / 128.0).softmax(0)
    expected = (density.flatten() * shares).sum(1)
    loss = (torch.arange(41).lt(40).float() - expected).abs().sum()[None]
    tensors = {"input.points.0": at, "input.density": density, "input.st_sizes": [2.0 * size]}
    if reach == "difference":
        tensors |= {"output": loss, "intermediate.posterior.0": shares}
    else:
        tensors |= {"output.loss.plus": loss, "attention.posterior.plus.0": shares}
    file.tensors |= {name: np.asarray(value) for name, value in tensors.items()}
    return file


@pytest.mark.parametrize("reach", ["difference", "ratio"])
def test_rounding_of_large_crops_is_no_failure(
    reach: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The squares are hundreds of thousands, so that single precision moves shares by 1e-4."""
    path = in_single_precision(3, 768, 0.05, reach).write(tmp_path)
    assert main(["verify", str(path)]) == 0
    assert "float32" in capsys.readouterr().out
    assert main(["verify", str(path), "--dtype", "float64"]) == 1


def test_points_that_are_missing_are_infinitely_far(tmp_path: Path) -> None:
    file = FILES["density of 2 points"]()
    assert np.isinf(file.tensors["output.knn_distances"]).any()
    file.tensors["output.sigma"] = np.ones(2)
    assert main(["verify", str(file.write(tmp_path))]) == 1


Spoil = Callable[[dict[str, np.ndarray], dict[str, str]], object]


def spoilt(name: str, folder: Path, change: Spoil) -> Path:
    tensors, metadata = content(REFERENCE / f"{name}.safetensors")
    change(tensors, metadata)
    save_file({key: np.ascontiguousarray(t) for key, t in tensors.items()}, folder / "x", metadata)
    return folder / "x"


def without(name: str) -> Spoil:
    return lambda tensors, _: tensors.pop(name)


def shaped(name: str, *shape: int) -> Spoil:
    return lambda tensors, _: tensors.update({name: np.ones(shape, np.float32)})


def told(**facts: str) -> Spoil:
    return lambda _, metadata: metadata.update({k.rstrip("_"): v for k, v in facts.items()})


def argued(**arguments: object) -> Spoil:
    def change(_: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
        metadata["kwargs"] = json.dumps(json.loads(metadata["kwargs"]) | arguments)

    return change


UNUSABLE: dict[str, tuple[str, Spoil]] = {
    "another class": ("density", told(class_="Post_Prob")),
    "no class": ("game", lambda _, metadata: metadata.pop("class")),
    "another mechanism": ("game", told(mechanism="match", slug="match")),
    "a loss of another mechanism": ("bayesian_loss", told(mechanism="danet")),
    "kwargs no JSON": ("bayesian_loss", told(kwargs="sigma=8")),
    "kwargs a list": ("density", told(kwargs="[1]")),
    "no density": ("bayesian_loss", without("input.density")),
    "no sizes": ("csca__bayesian_loss", without("input.st_sizes")),
    "too few sizes": ("csca__bayesian_loss", shaped("input.st_sizes", 2)),
    "points of three numbers": ("csca__bayesian_loss", shaped("input.points.0", 7, 3)),
    "more targets than points": ("bayesian_loss", shaped("input.targets.0", 9)),
    "another crop": ("bayesian_loss", argued(c_size=64)),
    "a crop that is text": ("csca__bayesian_loss", argued(c_size="48")),
    "sigma null": ("bayesian_loss", argued(sigma=None)),
    "sigma zero": ("csca__bayesian_loss", argued(sigma=0)),
    "stride true": ("csca__bayesian_loss", argued(stride=True)),
    "ratio in words": ("csca__bayesian_loss", argued(background_ratio="a tenth")),
    "no number of a ratio": ("bayesian_loss", argued(background_ratio="none")),
    "a result that nobody has": ("bayesian_loss", shaped("output.game.plain", 1)),
    "a picture that is not there": ("bayesian_loss", shaped("output.loss_per_image.plus.7", 1)),
    "a loss of two numbers": ("csca__bayesian_loss", shaped("output", 2)),
    "no points": ("density", without("input")),
    "points in a row": ("density", shaped("input", 26)),
    "a point that is no number": (
        "density",
        lambda tensors, _: tensors["input"].fill(np.nan),
    ),
    "maps of two sizes": ("density", shaped("output.adaptive", 30, 30)),
    "no maps": (
        "density",
        lambda tensors, _: (
            [tensors.pop(k) for k in list(tensors) if "map" in k or "_" in k]
            and tensors.pop("output.adaptive")
        ),
    ),
    "a sigma of zero": ("density", shaped("output.fixed_sigma0", 48, 72)),
    "a sigma beyond sense": ("density", shaped("output.fixed_sigma999999999999", 48, 72)),
    "a sigma in words": ("density", shaped("output.fixed_sigmafour", 48, 72)),
    "no prediction": ("game", without("input.pred_odd")),
    "maps that differ": ("game", shaped("input.gt_even", 48, 70)),
    "maps of three axes": ("game", shaped("input.gt_even", 1, 48, 72)),
    "more levels than maps have": ("game", shaped("output.game.even", 60)),
    "levels in two axes": ("game", shaped("output.game.even", 5, 1)),
    "a game of another name": ("game", shaped("output.set.even", 5)),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_that_does_not_fit_is_refused_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of, change = UNUSABLE[name]
    assert main(["verify", str(spoilt(of, tmp_path, change))]) == 2
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 1, captured.err
    assert captured.err.startswith("vizattn verify: ")


def test_arguments_may_be_missing(tmp_path: Path) -> None:
    """A file of a function need not say how it was called: the sizes are in its tensors."""
    for name in FUNCTIONS:
        path = spoilt(name, tmp_path, lambda _, metadata: metadata.pop("kwargs", None))
        assert main(["verify", str(path)]) == 0, name


def test_ratios_are_read_from_names_and_arguments(tmp_path: Path) -> None:
    wrong = spoilt("bayesian_loss", tmp_path, argued(background_ratio=0.5))
    failed = {each.name for each in replay(wrong).comparisons if not each.passed}
    assert failed
    assert all(".plus." in f"{name}." for name in failed)


def test_a_loss_without_background_says_so(tmp_path: Path) -> None:
    def change(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
        argued(use_background=False)(tensors, metadata)
        tensors["output"] = tensors["output.no_background"]
        for index in (0, 2):
            tensors[f"intermediate.posterior.{index}"] = tensors.pop(
                f"intermediate.posterior_nobg.{index}"
            )

    assert replay(spoilt("csca__bayesian_loss", tmp_path, change)).passed


def test_procedures_are_found_by_scanning_and_hide_no_mechanism() -> None:
    named = [(each.slug, each.classes) for each in procedures()]
    assert len(named) == len(set(named)) == 5
    for each in procedures():
        for slug, mechanism in mechanisms().items():
            assert not any(each.answers_to(slug, known) for known in mechanism.references)
