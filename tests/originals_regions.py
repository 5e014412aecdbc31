"""Plain numpy versions of the originals that go through regions, patterns, nodes or tokens.

As in ``originals``: written from the equations, sharing no code with ``models``.
"""

from __future__ import annotations

import numpy as np

from tests.originals import Array, Original, flat, relu, softmax
from tests.originals_listening import Size, gelu


def unit(x: Array, axis: int) -> Array:
    return x / np.sqrt((x**2).sum(axis, keepdims=True))


def hamburger(
    seed: int, size: Size, channels: int, way: str, width: int, rank: int, heads: int = 1,
    steps: int = 3, version: int = 1, spatial: bool = True, beta: float = 0.1,
) -> Original:  # fmt: skip
    kwargs = {
        "in_c": channels, "HAM_TYPE": way, "version": version, "MD_S": heads, "MD_D": width,
        "MD_R": rank, "EVAL_STEPS": steps, "INV_T": 4, "SPATIAL": spatial, "BETA": beta,
    }  # fmt: skip
    name = f"HamburgerV{version} + {way}2D"
    file = Original("hamnet", way.lower(), name, kwargs, seed, size)
    x = file.input(channels)
    if way == "NMF":
        low = relu(file.conv1("lower_bread.0", x, width))
    else:
        low = file.conv1("lower_bread", x, width)
    matrix = low.reshape(2 * heads, width // heads, -1)
    matrix = matrix if spatial else matrix.swapaxes(1, 2)
    bases = unit(np.abs(file.draw(2 * heads, matrix.shape[1], rank)) + 0.05, 1)
    bases = bases.astype(np.float32).astype(np.float64)
    file.tensors["input.bases"] = bases
    items = matrix.swapaxes(1, 2)
    given = softmax(items @ bases)
    for _ in range(steps):
        if way == "NMF":
            given = given * (items @ bases) / (given @ (bases.swapaxes(1, 2) @ bases) + 1e-6)
            wanted = matrix @ given
            bases = bases * wanted / (bases @ (given.swapaxes(1, 2) @ given) + 1e-6)
        else:
            given = softmax(4 * (unit(items, 2) @ unit(bases, 1)))
            given = given / (1e-6 + given.sum(1, keepdims=True))
            bases = matrix @ given
            bases = unit(bases, 1) if way == "CD" else bases
    if way == "NMF":
        last = given * (items @ bases) / (given @ (bases.swapaxes(1, 2) @ bases) + 1e-6)
    elif way == "VQ":
        last = softmax(4 * (unit(items, 2) @ unit(bases, 1)))
    else:
        overlap = bases.swapaxes(1, 2) @ bases + beta * np.eye(rank)
        last = np.linalg.solve(overlap, (items @ bases).swapaxes(1, 2)).swapaxes(1, 2)
    rebuilt = bases @ last.swapaxes(1, 2)
    rebuilt = (rebuilt if spatial else rebuilt.swapaxes(1, 2)).reshape(low.shape)
    if version == 1:
        y = file.norm("upper_bread.1", file.conv1("upper_bread.0", rebuilt, channels, False))
    else:
        cheese = relu(file.norm("cheese.bn", file.conv1("cheese.conv", rebuilt, width, False)))
        y = file.conv1("upper_bread", cheese, channels, False)
    return file.give(
        output=relu(y + x),
        attention__coef=last,
        attention__bases=bases,
        attention__coef_before_last=given,
        attention__ham_output=rebuilt,
    )


def ocr(
    seed: int, size: Size, channels: int, key: int, out: int, classes: int, bias: bool
) -> Original:
    kwargs = {
        "cls_num": classes, "in_channels": channels, "key_channels": key, "out_channels": out,
        "bias": bias,
    }  # fmt: skip
    name = "SpatialGather_Module + SpatialOCR_Module"
    file = Original("ocrnet", "", name, kwargs, seed, size)
    x = file.tensors["input.0"] = file.draw(2, channels, *size, scale=0.8)
    scores = file.tensors["input.1"] = file.draw(2, classes, *size, scale=2)
    inside = "object_context_block"

    def layers(name: str, x: Array, out: int, count: int) -> Array:
        for index in range(0, 2 * count, 2):
            x = file.conv1(f"{name}.{index}", x, out, bias)
            x = relu(file.norm(f"{name}.{index + 1}.0", x))
        return x

    region = softmax(flat(scores))
    objects = np.einsum("bcn,bkn->bck", flat(x), region)
    query = flat(layers(f"{inside}.f_pixel", x, key, 2))
    keys = layers(f"{inside}.f_object", objects[..., None], key, 2)[..., 0]
    relation = softmax(np.einsum("bcn,bck->bnk", query, keys) / key**0.5)
    values = layers(f"{inside}.f_down", objects[..., None], key, 1)[..., 0]
    heard = np.einsum("bnk,bck->bcn", relation, values).reshape(2, key, *size)
    context = layers(f"{inside}.f_up", heard, channels, 1)
    joined = file.conv1("conv_bn_dropout.0", np.concatenate([context, x], 1), out, bias)
    return file.give(
        output=relu(file.norm("conv_bn_dropout.1.0", joined)),
        attention__region=region,
        attention__relation=relation,
        attention__object_representation=objects,
    )


def base_oc(seed: int, size: Size, channels: int, out: int, key: int, value: int) -> Original:
    kwargs = {
        "in_channels": channels, "out_channels": out, "key_channels": key,
        "value_channels": value, "bn_type": "torchbn",
    }  # fmt: skip
    file = Original("ocnet", "base_oc", "BaseOC_Module", kwargs, seed, size)
    x = file.input(channels)
    found = []
    for name in ("f_query", "f_key"):
        made = x
        for n in (0, 2):
            made = file.conv1(f"stages.0.{name}.{n}", made, key)
            made = relu(file.norm(f"stages.0.{name}.{n + 1}.0", made))
        found.append(flat(made))
    weights = softmax(np.einsum("bci,bcj->bij", *found) / key**0.5)
    values = flat(file.conv1("stages.0.f_value", x, value))
    heard = np.einsum("bij,bcj->bci", weights, values).reshape(2, value, *size)
    context = file.conv1("stages.0.W", heard, channels)
    joined = file.conv1("conv_bn_dropout.0", np.concatenate([context, x], 1), out)
    y = relu(file.norm("conv_bn_dropout.1.0", joined))
    return file.give(output=y, attention__affinity=weights)


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, 0.01 * x)


def pyramid_oc(seed: int, size: Size, channels: int, out: int, counts: list[int]) -> Original:
    kwargs = {"in_channels": channels, "out_channels": out, "sizes": counts}
    file = Original("ocnet", "pyramid_oc", "Pyramid_OC_Module", kwargs, seed, size)
    x = file.input(channels)
    widened = file.conv1("up_dr.0", x, channels * len(counts))
    parts = [leaky(file.norm("up_dr.1", widened))]
    for index, count in enumerate(counts):
        stage = f"stages.{index}"
        key = file.conv1(f"{stage}.f_key.0", x, channels // 2)
        key = leaky(file.norm(f"{stage}.f_key.1", key))
        for name, value in [each for each in file.tensors.items() if f"{stage}.f_key" in each[0]]:
            file.tensors[name.replace("f_key", "f_query")] = value
        value = file.conv1(f"{stage}.f_value", x, channels)
        heard = np.zeros_like(value)
        for i in range(count):
            for j in range(count):
                top, left = i * (size[0] // count), j * (size[1] // count)
                bottom = size[0] if i == count - 1 else top + size[0] // count
                right = size[1] if j == count - 1 else left + size[1] // count
                own = flat(key[:, :, top:bottom, left:right])
                weights = softmax(own.swapaxes(1, 2) @ own / (channels // 2) ** 0.5)
                block = value[:, :, top:bottom, left:right]
                heard[:, :, top:bottom, left:right] = (
                    flat(block) @ weights.swapaxes(1, 2)
                ).reshape(block.shape)
                file.give(**{f"attention__scale{count}__block{i}_{j}": weights})
        parts.append(file.conv1(f"{stage}.W", heard, channels))
    joined = file.conv1("conv_bn_dropout.0", np.concatenate(parts, 1), out)
    return file.give(output=leaky(file.norm("conv_bn_dropout.1", joined)))


def symbolic(seed: int, size: Size, channels: int, inner: int, nodes: int, words: int) -> Original:
    kwargs = {
        "nodes": nodes, "in_channels": channels, "node_channels": inner, "embedding": words
    }  # fmt: skip
    file = Original("sgr", "", "SGRLayer (function)", kwargs, seed, size)
    x = file.input(channels)
    tokens = flat(x).swapaxes(1, 2)
    votes = softmax(tokens @ file.parameter("L2S_Wa_weight", channels, nodes))
    visual = relu(
        votes.swapaxes(1, 2) @ (tokens @ file.parameter("L2S_Wps_weight", channels, inner))
    )
    links = np.triu(file.rng.integers(0, 2, (nodes, nodes)), 1).astype(np.float64)
    links = file.tensors["param.adjacency"] = links + links.T
    meanings = file.parameter("fasttext_embeddings", nodes, words)
    linked = links + np.eye(nodes)
    root = np.diag(linked.sum(1) ** -0.5)
    both = np.concatenate([visual, np.repeat(meanings[None], 2, 0)], 2)
    evolved = relu(root @ linked @ root @ both @ file.parameter("Wg", inner + words, inner))
    score = file.parameter("Ws_weight", inner + channels, 1)
    pairs = evolved @ score[:inner]
    shares = softmax((pairs.swapaxes(1, 2) + tokens @ score[inner:]).swapaxes(1, 2)).swapaxes(1, 2)
    even = shares / shares.sum(2, keepdims=True)
    answer = relu(even @ (evolved @ file.parameter("Wsp", inner, channels)))
    return file.give(
        output=x + answer.swapaxes(1, 2).reshape(x.shape),
        attention__voting=votes,
        attention__mapping_before_rownorm=shares,
        attention__visual_nodes=visual,
        attention__evolved_nodes=evolved,
    )


def vit(
    seed: int, size: Size, patch: int, dim: int, depth: int, heads: int, token: bool, average: bool
) -> Original:
    kwargs = {
        "img_size": list(size), "patch_size": patch, "in_chans": 3, "num_classes": 4,
        "embed_dim": dim, "depth": depth, "num_heads": heads, "mlp_ratio": 1.5,
        "qkv_bias": token, "class_token": token, "global_pool": "avg" if average else "token",
    }  # fmt: skip
    file = Original("vit", "", "VisionTransformer", kwargs, seed, size)
    x = file.input(3)
    rows, columns = size[0] // patch, size[1] // patch

    def norm(name: str, x: Array) -> Array:
        apart = x - x.mean(-1, keepdims=True)
        scaled = apart / np.sqrt((apart**2).mean(-1, keepdims=True) + 1e-6)
        return scaled * file.parameter(f"{name}.weight", dim) + file.parameter(f"{name}.bias", dim)

    def linear(name: str, x: Array, out: int, bias: bool = True) -> Array:
        y = x @ file.parameter(f"{name}.weight", out, x.shape[-1]).T
        return y + file.parameter(f"{name}.bias", out) if bias else y

    kernel = file.parameter("patch_embed.proj.weight", dim, 3, patch, patch)
    cut = x.reshape(2, 3, rows, patch, columns, patch)
    t = np.einsum("bcipjq,ocpq->bijo", cut, kernel).reshape(2, -1, dim)
    t = t + file.parameter("patch_embed.proj.bias", dim)
    if token:
        t = np.concatenate([np.repeat(file.parameter("cls_token", 1, 1, dim), 2, 0), t], 1)
    count = t.shape[1]
    t = t + file.parameter("pos_embed", 1, count, dim)
    rolled = np.eye(count)[None]
    for n in range(depth):
        parts = linear(f"blocks.{n}.attn.qkv", norm(f"blocks.{n}.norm1", t), 3 * dim, token)
        q, k, v = parts.reshape(2, count, 3, heads, -1).transpose(2, 0, 3, 1, 4)
        weights = softmax(q @ k.swapaxes(2, 3) / (dim // heads) ** 0.5)
        heard = (weights @ v).swapaxes(1, 2).reshape(2, count, dim)
        t = t + linear(f"blocks.{n}.attn.proj", heard, dim)
        hidden = linear(f"blocks.{n}.mlp.fc1", norm(f"blocks.{n}.norm2", t), int(dim * 1.5))
        t = t + linear(f"blocks.{n}.mlp.fc2", gelu(hidden), dim)
        file.give(**{f"attention__block{n}": weights})
        mixed = 0.5 * weights.mean(1) + 0.5 * np.eye(count)
        rolled = mixed / mixed.sum(2, keepdims=True) @ rolled
    if average:
        summary = norm("fc_norm", t[:, int(token) :].mean(1))
    else:
        t = norm("norm", t)
        summary = t[:, 0]
    file.give(output=linear("head", summary, 4), attention__rollout=rolled)
    if token:
        file.give(attention__rollout_cls=rolled[:, 0, 1:].reshape(2, rows, columns))
    file.tensors["output.features"] = t
    return file
