"""``verify`` on files of ten gates with other sizes and arguments, made here by plain numpy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from models.mechanisms.bilinear import pairs_by_diagonal
from models.mechanisms.eca import kernel_for
from models.mechanisms.fca import MultiSpectralAttention
from models.reference import ReferenceFileError, replay
from tests import originals_gates as originals
from tests.originals import Original
from tests.replays import BUNDLED, check_all_compared, check_refused, content
from vizattn.__main__ import main

ODD, TALL, WIDE, ONE_ROW = (7, 5), (12, 3), (5, 9), (1, 9)
TOP8 = "00 01 60 05 02 10 12 40"
LOW8 = "00 01 10 11 02 20 21 12"
BOT4 = "66 14 34 36"
TOP16 = f"{TOP8} 50 16 30 04 06 03 35 22"

FILES: dict[str, Callable[[], Original]] = {
    "eca default": partial(originals.eca_layer, 1, ODD, 12),
    "eca 7 of 5 channels": partial(originals.eca_layer, 2, TALL, 5, 7),
    "eca one": partial(originals.eca_layer, 3, (1, 1), 4, 1),
    "srm": partial(originals.srm_layer, 4, ODD, 6),
    "srm two places": partial(originals.srm_layer, 5, (1, 2), 3, reduction=16),
    "gct l2": partial(originals.gct, 6, TALL, 9, "l2", 1e-5),
    "gct l2 large epsilon": partial(originals.gct, 7, ODD, 4, "l2", 0.1),
    "gct l1": partial(originals.gct, 8, ODD, 5, "l1", 1e-3),
    "gct l1 after relu": partial(originals.gct, 9, ONE_ROW, 5, "l1", 1e-5, True),
    "bam square": partial(originals.bam, 10, (5, 5), 32),
    "bam wide": partial(originals.bam, 11, (6, 11), 48),
    "bam small": partial(originals.bam, 12, (2, 3), 16),
    "scse default": partial(originals.scse, 13, ODD, 6),
    "scse 4": partial(originals.scse, 14, TALL, 8, 4),
    "coordinate default": partial(originals.coordinate, 15, TALL, 12, 12),
    "coordinate 2": partial(originals.coordinate, 16, WIDE, 24, 24, 2),
    "coordinate one gate": partial(originals.coordinate, 17, ODD, 6, 1, 3),
    "gsop channel": partial(originals.gsop, 18, ODD, 3, "1", 5),
    "gsop channel, every place": partial(originals.gsop, 19, (3, 4), 66, "1", 4),
    "gsop channel default": partial(originals.gsop, 20, ODD, 2, "1"),
    "gsop position": partial(originals.gsop, 21, (11, 6), 3, "2", 5),
    "gsop position 64": partial(originals.gsop, 22, (16, 17), 2, "2", 64),
    "fca default": partial(originals.fca, 23, (7, 7), 32, (7, 7), None, TOP16),
    "fca pooled": partial(originals.fca, 24, (9, 20), 16, (14, 7), "top8", TOP8, 3),
    "fca enlarged": partial(originals.fca, 25, ODD, 16, (21, 14), "low8", LOW8, 4),
    "fca bottom": partial(originals.fca, 26, (8, 9), 12, (8, 9), "bot4", BOT4, 4),
    "fca small": partial(originals.fca, 27, ODD, 6, (5, 6), "top2", "00 01", 2),
    "encoding": partial(originals.encoding, 28, ODD, 7, 3),
    "encoding one codeword": partial(originals.encoding, 29, TALL, 4, 1),
    "encnet default": partial(originals.enc_module, 30, ODD, 6, 3, None, True),
    "encnet no presence": partial(originals.enc_module, 31, WIDE, 5, 3, 4, False),
    "bilinear": partial(originals.bilinear, 32, ODD, 48, 48),
    "bilinear one gate": partial(originals.bilinear, 33, TALL, 80, 1),
    "bilinear one feature": partial(originals.bilinear, 34, ONE_ROW, 16, 16),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_sizes_and_arguments_pass(name: str, tmp_path: Path) -> None:
    path = FILES[name]().write(tmp_path)
    check_all_compared(path)
    assert main(["verify", str(path), "--dtype", "float32"]) == 0


@pytest.mark.parametrize("name", FILES)
def test_files_with_another_parameter_fail(name: str, tmp_path: Path) -> None:
    file = FILES[name]()
    changed = next(key for key in file.tensors if key.endswith(("weight", "cfc", "alpha", "words")))
    file.tensors[changed] = file.tensors[changed] * 1.5 + 0.1
    assert not replay(file.write(tmp_path)).passed


REFUSED: dict[str, tuple[Callable[[], Original], dict[str, object]]] = {
    "eca even": (FILES["eca default"], {"channel": 12, "k_size": 4}),
    "gct norm": (FILES["gct l2"], {"num_channels": 9, "mode": "l3"}),
    "coordinate gates": (FILES["coordinate 2"], {"inp": 24, "oup": 12}),
    "gsop attention": (FILES["gsop channel"], {"inplanes": 12, "planes": 3, "attention": "0"}),
    "gsop widening": (FILES["gsop channel"], {"inplanes": 13, "planes": 3, "attention": "1"}),
    "gsop stride": (FILES["gsop channel"], {"inplanes": 12, "planes": 3, "stride": 2}),
    "fca selection": (
        FILES["fca default"],
        {"channel": 32, "dct_h": 7, "dct_w": 7, "freq_sel_method": "top3"},
    ),
    "fca channels": (FILES["fca default"], {"channel": 20, "dct_h": 7, "dct_w": 7}),
    "encnet norm": (
        FILES["encnet default"],
        {"in_channels": 6, "nclass": 3, "norm_layer": "nn.GroupNorm"},
    ),
    "bilinear gates": (FILES["bilinear"], {"inChannels": 48, "outChannels": 24}),
    "bilinear too narrow": (FILES["bilinear"], {"inChannels": 15, "outChannels": 15}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_that_nobody_can_build_are_refused(name: str, tmp_path: Path) -> None:
    make, kwargs = REFUSED[name]
    file = make()
    file.kwargs = kwargs
    check_refused(file, tmp_path)


@pytest.mark.parametrize(("name", "size"), [("bam square", (7, 5)), ("bam square", (4, 8))])
def test_maps_that_the_original_of_bam_cannot_take_are_refused(
    name: str, size: tuple[int, int], tmp_path: Path
) -> None:
    file = FILES[name]()
    file.tensors["input"] = file.draw(2, 32, *size)
    with pytest.raises(ReferenceFileError, match="at least as wide as high"):
        replay(file.write(tmp_path))


@pytest.mark.parametrize(
    "path", [each for each in BUNDLED if each.stem.startswith("fca")], ids=lambda path: path.stem
)
def test_the_cosines_of_fca_are_ours_too(path: Path) -> None:
    """They come with the file; what we build without a file must be the same."""
    tensors, metadata = content(path)
    basis = torch.from_numpy(tensors["param.dct_layer.weight"])
    method = "low4" if "low4" in metadata["kwargs"] else "top16"
    ours = MultiSpectralAttention(basis.shape[0], 4, (basis.shape[1], basis.shape[2]), method)
    torch.testing.assert_close(ours.basis, basis, atol=1e-6, rtol=1e-6)


def test_every_channel_of_fca_knows_its_frequency() -> None:
    block = MultiSpectralAttention(32, 4, (7, 14), "top8")
    known = [block.frequency_of(channel) for channel in range(32)]
    assert known[:4] == [(0, 0)] * 4
    assert known[8:12] == [(6, 0)] * 4
    assert known[28:] == [(4, 0)] * 4
    for channel in (-1, 32):
        with pytest.raises(ValueError, match="expected a channel"):
            block.frequency_of(channel)


@pytest.mark.parametrize(
    ("channels", "kernel"), [(1, 1), (16, 3), (64, 3), (128, 5), (256, 5), (512, 5), (2048, 7)]
)
def test_the_kernel_of_eca_grows_with_the_channels(channels: int, kernel: int) -> None:
    """64 and 256 channels: the paper has 3 and 5."""
    assert kernel_for(channels) == kernel


def test_pairs_stand_diagonal_by_diagonal() -> None:
    rows, columns = pairs_by_diagonal(3)
    assert list(zip(rows, columns, strict=True)) == [(0, 0), (1, 1), (2, 2), (1, 0), (2, 1), (2, 0)]
