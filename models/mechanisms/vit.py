"""Vision Transformer: every patch gathers from every patch, in several heads side by side.

Idea
    Cut the picture into patches, make each a token, and let tokens ask each other, layer after
    layer; no convolution and no window is left. Each head asks in its own way. A class token,
    which is no patch, gathers for the whole picture; without it the patches are averaged.

Equation
    A_h = softmax(q k^T / sqrt(d)),  t <- t + W [A_1 v ; A_2 v ; ...],  t <- t + MLP(LN(t))
    with q, k, v of LN(t)   (paper: eq. 1-4, 5-8)
    Rollout: R = prod over layers of (mean_h A_h + I) / 2, the later ones from the left
    (Abnar and Zuidema). q, k and v come from one linear layer ``qkv``; W is ``project``. A passes
    the tap ``attention`` of each layer, one row for each head.

Reading the map
    Point at a place: each head's row over all places sums to 1; with a class token, that is token
    0, and has a share in every row. Heads differ: look at them one by one before the mean. The
    rollout follows attention through all layers, as if it were all that moves features.

Limits
    Deep rows mix tokens that are mixtures themselves: a weight on a patch is then not a weight on
    what was in it. The rollout answers to that but ignores values, MLPs and signs.
    Learnt positions fit one grid; on another ours are resized, as the paper does for fine-tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.affinities.rollout import RolloutAffinity
from models.affinity import PairwiseAffinity, ProductAffinity
from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Claim,
    Growth,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
    blocks_of,
)
from models.taps import listening

Feature = Float[Tensor, "batch channel row column"]
Tokens = Float[Tensor, "batch token dim"]
EPS = 1e-6
"""of the norms, as in the authors' code"""


class TokenAttention(AttentionBlock):
    """Return what each token gathers from all tokens, several heads joined (Dosovitskiy, eq. 5-8).

    Args:
        dim: numbers of a token.
        heads: how many there are.
        bias: whether queries, keys and values have one.

    Raises:
        ValueError: if ``dim`` is not a multiple of ``heads``.
    """

    kind = Kind.TOKEN_AFFINITY
    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "Aₕ = softmax(q kᵀ / √d);  y = W [A₁ v ; A₂ v ; …]"

    def __init__(self, dim: int, heads: int, bias: bool = True) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"expected numbers a multiple of {heads} heads, received {dim}")
        self.heads_side_by_side = heads
        self.scale = (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        self.project = nn.Linear(dim, dim)

    def _parts(self, tokens: Tokens) -> Float[Tensor, "3 batch head token part"]:
        parts = self.qkv(tokens).unflatten(2, (3, self.heads_side_by_side, -1))
        return parts.permute(2, 0, 3, 1, 4)

    def attention_of(self, x: Tensor) -> PairwiseAffinity:
        """Return A as its factors."""
        query, key, _ = self._parts(x)
        return ProductAffinity(query, key, self.scale)

    def apply_attention(self, attention: PairwiseAffinity, x: Tensor) -> Tensor:
        """Return W [A v] over the heads."""
        gathered = attention.aggregate(self._parts(x)[2])
        return self.project(gathered.transpose(1, 2).flatten(2))


class PlaceAttention(TokenAttention):
    """The same over the places of a map, which comes and goes as a map."""

    kind = Kind.PLACE_AFFINITY

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return A as its factors, places row by row."""
        return super().attention_of(x.flatten(2).transpose(1, 2))

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Feature:
        """Return W [A v] over the heads, in the shape of x."""
        tokens = super().apply_attention(attention, x.flatten(2).transpose(1, 2))
        return tokens.transpose(1, 2).unflatten(2, x.shape[2:])


def _mlp(dim: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))


class EncoderLayer(nn.Module):
    """Return tokens after attention and a small network, both added (paper: figure 1, right).

    Args:
        dim: numbers of a token.
        heads: of the attention.
        hidden: numbers inside the network.
        bias: whether queries, keys and values have one.
    """

    def __init__(self, dim: int, heads: int, hidden: int, bias: bool = True) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=EPS), nn.LayerNorm(dim, eps=EPS)
        self.attend = TokenAttention(dim, heads, bias)
        self.mlp = _mlp(dim, hidden)

    def forward(self, tokens: Tokens) -> Tokens:
        tokens = tokens + self.attend(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class MapEncoderLayer(nn.Module):
    """The same for the places of a map of features, which know where they are already.

    Args:
        channels: channels of the map.
        heads: of the attention.
        hidden: numbers inside the network.
    """

    def __init__(self, channels: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels, eps=EPS), nn.LayerNorm(channels, eps=EPS)
        self.attend = PlaceAttention(channels, heads)
        self.mlp = _mlp(channels, hidden)

    def forward(self, x: Feature) -> Feature:
        x = x + self.attend(self.norm1(x.movedim(1, 3)).movedim(3, 1))
        return x + self.mlp(self.norm2(x.movedim(1, 3))).movedim(3, 1)


class MapEncoder(nn.Module):
    """Return a map after several layers of attention between its places.

    Args:
        channels: channels of the map.
        layers: how many there are.
        heads: of each.
    """

    shortcuts: ClassVar[bool] = True

    def __init__(self, channels: int, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(MapEncoderLayer(channels, heads, 2 * channels) for _ in range(layers))
        )
        self.passes = tuple(f"layers.{n}.attend" for n in range(layers))

    def forward(self, x: Feature) -> Feature:
        return self.layers(x)


class VisionTransformer(nn.Module):
    """Return (class scores, features of all tokens) of pictures (paper: figure 1).

    Args:
        size: rows and columns of the pictures that positions are learnt for.
        patch: pixels along a side of a patch.
        channels: channels of the pictures.
        classes: number of classes.
        dim: numbers of a token.
        layers: how many there are.
        heads: of each.
        hidden: numbers inside each layer's network.
        bias: whether queries, keys and values have one.
        class_token: have a token for the whole picture.
        average: scores are made from the mean of the patches.

    Raises:
        ValueError: if pictures cannot be cut, or nothing is left to make scores from.
    """

    shortcuts: ClassVar[bool] = True

    def __init__(
        self,
        size: tuple[int, int],
        patch: int,
        channels: int = 3,
        classes: int = 1000,
        dim: int = 768,
        layers: int = 12,
        heads: int = 12,
        hidden: int = 3072,
        bias: bool = True,
        class_token: bool = True,
        average: bool = False,
    ) -> None:
        super().__init__()
        if any(side % patch for side in size) or not (class_token or average):
            raise ValueError(
                f"expected sides a multiple of {patch} and something to make scores from, "
                f"received {size}, class_token {class_token} and average {average}"
            )
        self.patch, self.grid, self.average = patch, (size[0] // patch, size[1] // patch), average
        self.embed = nn.Conv2d(channels, dim, kernel_size=patch, stride=patch)
        self.class_token = nn.Parameter(torch.randn(1, 1, dim) * 0.02) if class_token else None
        places = self.grid[0] * self.grid[1] + class_token
        self.positions = nn.Parameter(torch.randn(1, places, dim) * 0.02)
        self.layers = nn.ModuleList(EncoderLayer(dim, heads, hidden, bias) for _ in range(layers))
        self.passes = tuple(f"layers.{n}.attend" for n in range(layers))
        for block in blocks_of(self).values():
            block.extra = ("class_token",) if class_token else ()
        self.norm = nn.LayerNorm(dim, eps=EPS)
        self.classify = nn.Linear(dim, classes)

    def _positions(self, grid: tuple[int, int]) -> Float[Tensor, "1 token dim"]:
        if grid == self.grid:
            return self.positions
        extra = self.positions.shape[1] - self.grid[0] * self.grid[1]
        learnt = self.positions[:, extra:].transpose(1, 2).unflatten(2, self.grid)
        resized = F.interpolate(learnt, size=grid, mode="bicubic", align_corners=False)
        return torch.cat([self.positions[:, :extra], resized.flatten(2).transpose(1, 2)], dim=1)

    def forward(self, x: Feature) -> tuple[Float[Tensor, "batch class"], Tokens]:
        """Return scores and features; raises ValueError for pictures that cannot be cut."""
        if any(side % self.patch for side in x.shape[2:]):
            raise ValueError(f"expected sides a multiple of {self.patch}, received {x.shape}")
        cut = self.embed(x)
        tokens = cut.flatten(2).transpose(1, 2)
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1)
        tokens = tokens + self._positions((cut.shape[2], cut.shape[3]))
        for layer in self.layers:
            tokens = layer(tokens)
        if not self.average:
            features = self.norm(tokens)
            return self.classify(features[:, 0]), features
        # The norm comes after the mean, which leaves the class token out.
        patches = tokens if self.class_token is None else tokens[:, 1:]
        return self.classify(self.norm(patches.mean(dim=1))), tokens


class Rollout(nn.Module):
    """Return the rollout of all queries, for small pictures."""

    def forward(self, layers: Sequence[Any]) -> Float[Tensor, "batch token token"]:
        return RolloutAffinity(tuple(layers)).dense()[:, 0]


class RolledOut(nn.Module):
    """Return what a transformer returns, and find its rollout on the way.

    Args:
        network: the transformer.
    """

    def __init__(self, network: VisionTransformer) -> None:
        super().__init__()
        self.network = network
        self.rollout, self.of_class = Rollout(), nn.Identity()

    def forward(self, x: Feature) -> tuple[Float[Tensor, "batch class"], Tokens]:
        seen: list[PairwiseAffinity] = []
        with listening(lambda _block, attention, _inputs, _returned: seen.append(attention)):
            scores, features = self.network(x)
        rolled = self.rollout(seen)
        if self.network.class_token is not None:
            self.of_class(rolled[:, 0, 1:].unflatten(1, self.network.grid))
        return scores, features


def _module(
    variant: str,
    img_size: int | Sequence[int] = 224,
    patch_size: int = 16,
    in_chans: int = 3,
    num_classes: int = 1000,
    global_pool: str = "token",
    embed_dim: int = 768,
    depth: int = 12,
    num_heads: int = 12,
    mlp_ratio: float = 4.0,
    qkv_bias: bool = True,
    class_token: bool = True,
) -> RolledOut:
    if global_pool not in ("token", "avg"):
        raise ValueError(f"expected global_pool token or avg, received {global_pool!r}")
    rows, columns = (img_size, img_size) if isinstance(img_size, int) else img_size
    return RolledOut(
        VisionTransformer(
            (rows, columns),
            patch_size,
            in_chans,
            num_classes,
            embed_dim,
            depth,
            num_heads,
            int(embed_dim * mlp_ratio),
            qkv_bias,
            class_token,
            global_pool == "avg",
        )
    )


_DEEPEST = 64
"""layers of what a file can name"""

MECHANISM = Mechanism(
    slug="vit",
    name="Vision Transformer",
    family="self-attention",
    goals=(Goal.LONG_RANGE, Goal.LESS_BIAS),
    growth=Growth("O(N²)", 2.0),
    paper=Paper(
        title="An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
        authors="Dosovitskiy, Beyer, Kolesnikov, Weissenborn, Zhai, Unterthiner, Dehghani, "
        "Minderer, Heigold, Gelly, Uszkoreit, Houlsby",
        venue="ICLR",
        year=2021,
        arxiv="2010.11929",
    ),
    variants={
        "": lambda channels: VisionTransformer((6, 9), 1, channels, 5, 16, 2, 4, 24),
        "gap": lambda channels: VisionTransformer(
            (6, 9), 1, channels, 5, 16, 2, 2, 24, class_token=False, average=True
        ),
        "map": lambda channels: MapEncoder(channels),
    },
    references={
        "VisionTransformer": Reference(
            build=_module,
            positional=("img_size", "patch_size", "in_chans", "num_classes"),
            attention={
                **{f"block{n}": f"network.layers.{n}.attend" for n in range(_DEEPEST)},
                "rollout": "rollout",
                "rollout_cls": "of_class",
            },
            rename=(
                (r"^patch_embed\.proj\.", "network.embed."),
                (r"^cls_token$", "network.class_token"),
                (r"^pos_embed$", "network.positions"),
                (r"^blocks\.(\d+)\.norm", r"network.layers.\1.norm"),
                (r"^blocks\.(\d+)\.attn\.qkv\.", r"network.layers.\1.attend.qkv."),
                (r"^blocks\.(\d+)\.attn\.proj\.", r"network.layers.\1.attend.project."),
                (r"^blocks\.(\d+)\.mlp\.fc1\.", r"network.layers.\1.mlp.0."),
                (r"^blocks\.(\d+)\.mlp\.fc2\.", r"network.layers.\1.mlp.2."),
                (r"^(fc_)?norm\.", "network.norm."),
                (r"^head\.", "network.classify."),
            ),
            outputs=("", "features"),
        ),
    },
    plugs={"classifier": Plug(Placement.ONCE, MapEncoder)},
)
