"""Plain numpy versions of the crowd counter's originals, to make more reference files.

As in ``originals``: written from the equations, sharing no code with ``models``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.originals import Array, Original, pooled, relu, softmax

Size = tuple[int, int]
WIDTHS, CONVOLUTIONS, RUNS = (64, 128, 256, 512, 512), (2, 2, 4, 4, 4), (4, 3, 2, 1, 1)


class Deep(Original):
    """Draws narrower weights, so that values neither grow nor vanish over many layers."""

    def parameter(self, name: str, *shape: int) -> Array:
        fan = np.prod(shape[1:]) if len(shape) > 1 else 9
        self.tensors[f"param.{name}"] = value = self.draw(*shape, scale=(2 / fan) ** 0.5)
        return value


def _nearest(x: Array, size: Size) -> Array:
    rows, columns = (
        np.arange(new) * old // new for new, old in zip(size, x.shape[2:], strict=True)
    )
    return x[:, :, rows][:, :, :, columns]


def _scales(file: Original, name: str, x: Array) -> Array:
    half = pooled(x)
    size = (x.shape[2], x.shape[3])
    wide = np.concatenate([x, _nearest(half, size), _nearest(pooled(half), size)], axis=1)
    return relu(file.conv1(f"{name}conv.0", wide, x.shape[1]))


def _compared(file: Original, name: str, x: Array) -> Array:
    return relu(file.norm(f"{name}.2", file.conv1(f"{name}.0", x, x.shape[1] // 2)))


def _fuse(
    file: Original, prefix: str, rgb: Array, thermal: Array, runs_log2: int, steps: bool
) -> tuple[Array, Array, Array]:
    batch, channels, rows, columns = rgb.shape
    dim = channels // 2 * 2**runs_log2
    wide = {
        "RGB": _scales(file, f"{prefix}rgb_msc.", rgb),
        "T": _scales(file, f"{prefix}t_msc.", thermal),
    }
    query, key, value, context, affinity = {}, {}, {}, {}, {}
    for sense, x in wide.items():
        query[sense] = _compared(file, f"{prefix}{sense}_query", x)
        key[sense] = _compared(file, f"{prefix}{sense}_key", x)
        value[sense] = file.conv1(f"{prefix}{sense}_value", x, channels // 2)
    for sense, other in (("RGB", "T"), ("T", "RGB")):
        q, k, v = (
            each.reshape(batch, dim, -1) for each in (query[other], key[sense], value[sense])
        )
        affinity[sense] = softmax(np.einsum("bdi,bdj->bij", q, k) / np.sqrt(dim))
        gathered = np.einsum("bij,bdj->bdi", affinity[sense], v).reshape(batch, -1, rows, columns)
        context[sense] = file.conv1(f"{prefix}{sense}_W", gathered, channels)
    both = np.concatenate([context["T"], context["RGB"]], axis=1)
    logits = {sense: file.conv1(f"{prefix}gate_{sense}", both, 1) for sense in wide}
    senses = np.concatenate([logits["RGB"], logits["T"]], axis=1)
    gate = np.moveaxis(softmax(np.moveaxis(senses, 1, -1)), -1, 1)
    shared = gate[:, :1] * rgb + gate[:, 1:] * thermal
    names = {"RGB": "rgb", "T": "thermal"}
    for sense, ours in names.items():
        file.tensors[f"attention.{prefix}{ours}_affinity"] = affinity[sense]
    file.tensors[f"attention.{prefix}gate"] = gate
    parts = {"msc": wide, "query": query, "key": key, "value": value, "context": context}
    for part, held in parts.items() if steps else ():
        for sense, ours in names.items():
            file.tensors[f"intermediate.{ours}_{part}"] = held[sense]
    for sense, ours in names.items() if steps else ():
        file.tensors[f"intermediate.gate_logit_{ours}"] = logits[sense]
    return relu((rgb + shared) / 2), relu((thermal + shared) / 2), shared


def _vgg(file: Original, name: str, x: Array, layers: Sequence[int | str]) -> Array:
    index = 0
    for layer in layers:
        if layer == "M":
            odd = ((0, 0), (0, 0), (0, x.shape[2] % 2), (0, x.shape[3] % 2))
            x = pooled(np.pad(x, odd, constant_values=-np.inf))
            index += 1
            continue
        y = file.conv(f"{name}.{index}", x, int(layer), 3)
        x = relu(y + file.parameter(f"{name}.{index}.bias", int(layer))[:, None, None])
        index += 2
    return x


def _inputs(file: Original, batch: int, rgb: int, thermal: int) -> tuple[Array, Array]:
    for name, channels in (("rgb", rgb), ("thermal", thermal)):
        file.tensors[f"input.{name}"] = file.draw(batch, channels, *file.size, scale=0.8)
    return file.tensors["input.rgb"], file.tensors["input.thermal"]


def _give(file: Original, results: tuple[Array, Array, Array]) -> Original:
    return file.give(output__rgb=results[0], output__thermal=results[1], output__shared=results[2])


def csca_fuse(seed: int, size: Size, channels: int, runs_log2: int) -> Original:
    kwargs = {"channels": channels, "L": runs_log2}
    file = Original("csca", f"L{runs_log2}", "Block (method fuse)", kwargs, seed, size)
    return _give(file, _fuse(file, "", *_inputs(file, 2, channels, channels), runs_log2, True))


def csca_block(
    seed: int,
    size: Size,
    cfg: list[int | str],
    in_channels: int,
    runs_log2: int,
    **options: bool,
) -> Original:
    kwargs = {"cfg": cfg, "in_channels": in_channels, "L": runs_log2, **options}
    file = Original("csca", "block", "Block", kwargs, seed, size)
    rgb, thermal = _inputs(file, 1, in_channels, 1 if options.get("D_in_channels") else in_channels)
    if not options.get("first_block"):
        # The original owns a third stream and never uses it.
        _vgg(file, "shared_conv", rgb, cfg)
    rgb, thermal = _vgg(file, "rgb_conv", rgb, cfg), _vgg(file, "t_conv", thermal, cfg)
    return _give(file, _fuse(file, "", rgb, thermal, runs_log2, True))


def csca_msc(seed: int, size: Size, channels: int) -> Original:
    file = Original("csca", "msc", "MSC", {"channels": channels}, seed, size)
    return file.give(output=_scales(file, "", file.input(channels)))


def csca_model(seed: int, size: Size, ratio: float) -> Original:
    file = Deep("csca", "model", "FusionModel", {"ratio": ratio}, seed, size)
    rgb, thermal = _inputs(file, 1, 3, 3)
    shared = rgb
    file.parameter("block1_depth.t_conv.0.weight", int(64 * ratio), 1, 3, 3)
    for stage in range(5):
        layers: list[int | str] = [int(WIDTHS[stage] * ratio)] * CONVOLUTIONS[stage]
        layers += ["M"] if stage < 4 else []
        prefix = f"block{stage + 1}."
        if stage:
            file.parameter(f"{prefix}shared_conv.0.bias", int(layers[0]))
        rgb = _vgg(file, f"{prefix}rgb_conv", rgb, layers)
        thermal = _vgg(file, f"{prefix}t_conv", thermal, layers)
        rgb, thermal, shared = _fuse(file, prefix, rgb, thermal, RUNS[stage], False)
    x = _vgg(file, "reg_layer", _doubled(shared), [int(256 * ratio), 128])
    density = np.abs(file.conv1("reg_layer.4", x, 1))
    return file.give(output=density, intermediate__count=density.sum((1, 2, 3)))


def _doubled(x: Array) -> Array:
    """Bilinear, with the corners of both grids on each other."""
    for axis in (2, 3):
        length = x.shape[axis]
        at = np.arange(2 * length) * (length - 1) / (2 * length - 1)
        low = np.minimum(at.astype(int), length - 1)
        share = (at - low).reshape([-1 if a == axis else 1 for a in range(4)])
        high = np.minimum(low + 1, length - 1)
        x = x.take(low, axis) * (1 - share) + x.take(high, axis) * share
    return x


def _shares(
    points: Array, st_size: float, size: int, kwargs: dict[str, object], reach: str | None
) -> Array:
    """One row a point, and one for the background where ``reach`` names a form."""
    sigma, stride, ratio = (float(kwargs[name]) for name in ("sigma", "stride", "ratio"))
    centres = np.arange(0, size, stride) + stride / 2
    squares = (points[:, 0, None, None] - centres) ** 2
    squares = squares + (points[:, 1, None, None] - centres[:, None]) ** 2
    squares = squares.reshape(len(points), -1)
    nearest, far = squares.min(axis=0, keepdims=True), st_size * ratio
    forms = {"difference": (far - np.sqrt(nearest)) ** 2, "ratio": far**2 / (nearest + 1e-5)}
    if reach is not None:
        squares = np.concatenate([squares, forms[reach]])
    return softmax(-squares.T / (2 * sigma**2)).T


def _crowd(
    file: Original, cells: int, counts: Sequence[int], size: int
) -> tuple[Array, list[Array]]:
    density = np.abs(file.draw(len(counts), 1, cells, cells))
    file.tensors["input.density"] = density
    st_sizes = file.rng.integers(size, 3 * size, len(counts)).astype(np.float64)
    file.tensors["input.st_sizes"] = st_sizes
    points = [file.rng.uniform(0, size, (n, 2)).astype(np.float32) * 1.0 for n in counts]
    return density.reshape(len(counts), -1), [each.astype(np.float64) for each in points]


def bayesian_loss(
    seed: int, counts: Sequence[int], cells: int, stride: int, sigma: float, ratio: float
) -> Original:
    """With targets; what has no points is left out of the file."""
    named = f"plus_ratio{str(ratio).replace('.', '')}"
    kwargs: dict[str, object] = {
        "sigma": sigma,
        "c_size": cells * stride,
        "stride": stride,
        "background_ratio": f"1.0 | {ratio}",
        "use_background": "True | False",
    }
    file = Original("bayesian_loss", "", "Post_Prob, Bay_Loss", kwargs, seed, (cells, cells))
    density, points = _crowd(file, cells, counts, cells * stride)
    targets = [file.rng.uniform(0.3, 1, n).astype(np.float32).astype(np.float64) for n in counts]
    for name, share in (("plain", None), ("plus", 1.0), (named, ratio)):
        losses = []
        for index, (at, aim) in enumerate(zip(points, targets, strict=True)):
            if not len(at):
                losses.append(abs(density[index].sum()))
                continue
            file.tensors[f"input.points.{index}"] = at
            file.tensors[f"input.targets.{index}"] = aim
            reach = None if share is None else "ratio"
            st_size = float(file.tensors["input.st_sizes"][index])
            settings = {"sigma": sigma, "stride": stride, "ratio": share or 0}
            shares = _shares(at, st_size, cells * stride, settings, reach)
            expected = shares @ density[index]
            wanted = aim if share is None else np.append(aim, 0)
            losses.append(np.abs(wanted - expected).sum())
            file.tensors[f"attention.posterior.{name}.{index}"] = shares
            file.tensors[f"output.expected_count.{name}.{index}"] = expected
            file.tensors[f"output.loss_per_image.{name}.{index}"] = np.array([losses[-1]])
        file.tensors[f"output.loss.{name}"] = np.array([np.mean(losses)])
    return file


def csca_bayesian_loss(
    seed: int, counts: Sequence[int], cells: int, stride: int, sigma: float, ratio: float
) -> Original:
    kwargs: dict[str, object] = {
        "sigma": sigma,
        "c_size": cells * stride,
        "stride": stride,
        "background_ratio": ratio,
        "use_background": "True | False",
        "device": "cpu",
    }
    size = (cells, cells)
    file = Original("csca", "bayesian_loss", "Post_Prob + Bay_Loss", kwargs, seed, size)
    density, points = _crowd(file, cells, counts, cells * stride)
    settings = {"sigma": sigma, "stride": stride, "ratio": ratio}
    for name, loss, reach in (
        ("posterior", "output", "difference"),
        ("posterior_nobg", "output.no_background", None),
    ):
        losses = []
        for index, at in enumerate(points):
            file.tensors[f"input.points.{index}"] = at
            if not len(at):
                losses.append(abs(density[index].sum()))
                continue
            st_size = float(file.tensors["input.st_sizes"][index])
            shares = _shares(at, st_size, cells * stride, settings, reach)
            expected = shares @ density[index]
            losses.append(np.abs((np.arange(len(shares)) < len(at)) - expected).sum())
            file.tensors[f"intermediate.{name}.{index}"] = shares
        file.tensors[loss] = np.array([np.mean(losses)])
    return file


def gaussian(x: Array, sigma: float, mode: str) -> Array:
    """A Gaussian that ends at 4 sigma, along each axis in turn."""
    radius = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        pad = [(radius, radius) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.pad(x, pad, mode=mode)
        x = np.apply_along_axis(np.convolve, axis, padded, kernel, mode="valid")
    return x


def density(seed: int, size: Size, count: int, sigmas: Sequence[float] = (15, 4)) -> Original:
    name = "gaussian_filter_density (adaptive, ShanghaiA); gaussian_filter(k,15) (fixed, ShanghaiB)"
    file = Original("density", "", name, {}, seed, size)
    rows, columns = size
    points = file.rng.uniform(0, (columns, rows), (count, 2)).astype(np.float32)
    dots = np.zeros(size)
    for x, y in points:
        dots[int(y), int(x)] = 1
    found = np.argwhere(dots)[:, ::-1].astype(np.float64)
    file.tensors |= {"input": points, "output.dot_map": dots, "output.nonzero_points_xy": found}
    for sigma in sigmas:
        file.tensors[f"output.fixed_sigma{sigma:g}"] = gaussian(dots, sigma, "symmetric")
        file.tensors[f"output.fixed_sigma{sigma:g}_constant"] = gaussian(dots, sigma, "constant")
    apart = np.sort(np.linalg.norm(found[:, None] - found, axis=2), axis=1)[:, 1:4]
    nearest = np.full((len(found), 3), np.inf)
    nearest[:, : apart.shape[1]] = apart
    widths = np.array([np.mean(size) / 4]) if len(found) == 1 else 0.1 * nearest.sum(axis=1)
    file.tensors |= {"output.knn_distances": nearest, "output.sigma": widths}
    if np.isfinite(widths).all():
        adaptive = np.zeros(size)
        for (x, y), width in zip(found.astype(int), widths, strict=True):
            adaptive += gaussian(np.eye(rows)[y][:, None] * np.eye(columns)[x], width, "constant")
        file.tensors["output.adaptive"] = adaptive
    return file


def _off(predicted: Array, truth: Array, level: int) -> float:
    if not level:
        return float(abs(predicted.sum() - truth.sum()))
    y, x = predicted.shape[0] // 2, predicted.shape[1] // 2
    parts = [np.s_[:y, :x], np.s_[:y, x:], np.s_[y:, :x], np.s_[y:, x:]]
    return sum(_off(predicted[part], truth[part], level - 1) for part in parts)


def _off_cropped(predicted: Array, truth: Array, level: int) -> float:
    high, wide = (side // 2**level for side in predicted.shape)
    total = 0.0
    for i in range(2**level):
        for j in range(2**level):
            part = np.s_[i * high : (i + 1) * high, j * wide : (j + 1) * wide]
            total += abs(predicted[part].sum() - truth[part].sum())
    return total


def game(seed: int, sizes: dict[str, tuple[Size, int]]) -> Original:
    """``sizes`` gives the maps' size and the number of levels by name."""
    file = Original("game", "", "gameMetric; game_metric", {}, seed, (0, 0))
    for name, (size, levels) in sizes.items():
        maps = [np.abs(file.draw(*size)) for _ in range(2)]
        file.tensors |= {f"input.pred_{name}": maps[0], f"input.gt_{name}": maps[1]}
        whole = [_off(*maps, level) for level in range(levels)]
        cropped = [_off_cropped(*maps, level) for level in range(1, levels)]
        file.tensors |= {f"output.game.{name}": np.array(whole)}
        file.tensors |= {f"output.game_cropped.{name}": np.array(cropped)}
    return file
