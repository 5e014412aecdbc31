"""Non-local block: every place listens to every other place.

Idea
    A convolution sees a small window. A non-local block lets each place gather from all places
    at once, with weights that depend on how the two places relate. The weights of one place over
    all others are its row.

Equation
    y_i = sum_j A_ij g(x_j),  z = W y + x   (paper: equations 1 and 6)
    Gaussian            A_i = softmax_j(x_i . x_j)                       (eq. 2)
    embedded Gaussian   A_i = softmax_j(theta(x_i) . phi(x_j) [/ sqrt(d)])  (eq. 3)
    dot product         A_ij = theta(x_i) . phi(x_j) / N                 (eq. 4)
    concatenation       A_ij = relu(w [theta(x_i) ; phi(x_j)]) / N       (eq. 5)
    theta, phi and w are ``pairwise.theta``, ``pairwise.phi`` and ``pairwise.project``, g is
    ``value``, W (with its batch norm) is ``project``. A passes the tap ``attention`` as its
    factors. N is the number of keys; ``subsample`` pools keys and values 2 x 2.
    The paper's equations have no scale; its authors' code divides the logits of the embedded
    Gaussian by sqrt(d), and pools before phi and g. The reference files are those of two
    re-implementations, which pool after them; one of them has the scale.

Reading the map
    Point at a place: the map shows its row, how much each other place contributes. With the two
    Gaussian forms a row sums to 1; with the dot product weights can be negative and the sum is
    free; with concatenation they are not negative and the sum is free.

Limits
    A weight is not the whole influence: what arrives is the weight times g(x_j), after W, added
    to x_i, which may be much larger. Trained rows of different places are often nearly the same
    (Cao et al., GCNet): compare two far apart before reading meaning into one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from models.affinity import ConcatenationAffinity, Normaliser, PairwiseAffinity, ProductAffinity
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
)

Feature = Float[Tensor, "batch channel row column"]
Tokens = Float[Tensor, "batch 1 place channel"]


def tokens(x: Feature) -> Tokens:
    """Return the places of x in row-major order, as one head."""
    return x.flatten(2).transpose(1, 2).unsqueeze(1)


def places(gathered: Tokens, like: Float[Tensor, "batch _ row column"]) -> Feature:
    """Return tokens as a feature map of the rows and columns of ``like``."""
    batch, _, _, channels = gathered.shape
    return gathered.squeeze(1).transpose(1, 2).reshape(batch, channels, *like.shape[2:])


class PairwiseFunction(nn.Module):
    """How the affinity of two places is made from their features."""

    claim: ClassVar[Claim]
    formula: ClassVar[str]

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()

    def forward(self, x: Feature, pool: nn.Module) -> PairwiseAffinity:
        """Return the affinity of all places of x over all places of x after pooling."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it compares places")


class Gaussian(PairwiseFunction):
    """softmax over j of x_i . x_j, on the raw features (eq. 2)."""

    claim = Claim.SIMPLEX
    formula: ClassVar[str] = "Aᵢ = softmaxⱼ(xᵢ · xⱼ)"

    def forward(self, x: Feature, pool: nn.Module) -> PairwiseAffinity:
        return ProductAffinity(tokens(x), tokens(pool(x)))


class EmbeddedGaussian(PairwiseFunction):
    """softmax over j of theta(x_i) . phi(x_j), with the code's 1/sqrt(d) or without (eq. 3)."""

    claim = Claim.SIMPLEX
    normaliser = Normaliser.SOFTMAX
    formula: ClassVar[str] = "Aᵢ = softmaxⱼ(θ(xᵢ) · φ(xⱼ))"

    def __init__(self, channels: int, inner: int, scaled: bool = False) -> None:
        super().__init__(channels, inner)
        self.scale = inner**-0.5 if scaled else 1.0
        self.theta = nn.Conv2d(channels, inner, kernel_size=1)
        self.phi = nn.Conv2d(channels, inner, kernel_size=1)

    def forward(self, x: Feature, pool: nn.Module) -> PairwiseAffinity:
        query, key = tokens(self.theta(x)), tokens(pool(self.phi(x)))
        return ProductAffinity(query, key, self.scale, self.normaliser)


class ScaledEmbeddedGaussian(EmbeddedGaussian):
    """The embedded Gaussian with the 1/sqrt(d) of the authors' code."""

    formula: ClassVar[str] = "Aᵢ = softmaxⱼ(θ(xᵢ) · φ(xⱼ) / √d)"

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__(channels, inner, scaled=True)


class DotProduct(EmbeddedGaussian):
    """theta(x_i) . phi(x_j), divided by the number of keys (eq. 4)."""

    claim = Claim.SIGNED
    normaliser = Normaliser.MEAN
    formula: ClassVar[str] = "Aᵢⱼ = θ(xᵢ) · φ(xⱼ) / N"


class Concatenation(PairwiseFunction):
    """relu(w [theta(x_i) ; phi(x_j)]), divided by the number of keys (eq. 5)."""

    claim = Claim.POSITIVE
    formula: ClassVar[str] = "Aᵢⱼ = ReLU(w · [θ(xᵢ) ; φ(xⱼ)]) / N"

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__(channels, inner)
        self.theta = nn.Conv2d(channels, inner, kernel_size=1)
        self.phi = nn.Conv2d(channels, inner, kernel_size=1)
        self.project = nn.Conv2d(2 * inner, 1, kernel_size=1, bias=False)

    def forward(self, x: Feature, pool: nn.Module) -> PairwiseAffinity:
        # w [theta ; phi] = w_theta theta + w_phi phi: two numbers a place instead of N x N pairs.
        weight_theta, weight_phi = self.project.weight.flatten().chunk(2)
        query, key = tokens(self.theta(x)), tokens(pool(self.phi(x)))
        return ConcatenationAffinity(query @ weight_theta, key @ weight_phi)


PAIRWISE: Mapping[str, type[PairwiseFunction]] = {
    "embedded_gaussian": EmbeddedGaussian,
    "gaussian": Gaussian,
    "dot_product": DotProduct,
    "concatenation": Concatenation,
    "embedded_gaussian__scaled": ScaledEmbeddedGaussian,
}
"""The paper's pairwise functions, by the names of the reference files."""


class NonLocalBlock(AttentionBlock):
    """Add to each place what it gathers from all places (Wang et al., eq. 6).

    Args:
        channels: channels of x.
        inner: channels of theta, phi and g; the paper's is channels // 2.
        pairwise: one of the classes in ``PAIRWISE``.
        subsample: pool keys and values 2 x 2 (an odd last row or column is dropped).
        norm: batch norm after W, with a zero weight at first, so that the block starts as identity.
        project_bias: whether W has a bias; with a norm behind it, it need not.

    Raises:
        ValueError: if ``inner`` is not positive.
    """

    kind = Kind.PLACE_AFFINITY
    formula: ClassVar[str] = "y = W Σⱼ Aᵢⱼ g(xⱼ) + x"

    def __init__(
        self,
        channels: int,
        inner: int | None = None,
        pairwise: type[PairwiseFunction] = EmbeddedGaussian,
        subsample: bool = False,
        norm: bool = True,
        project_bias: bool = True,
    ) -> None:
        super().__init__()
        inner = max(1, channels // 2) if inner is None else inner
        if inner < 1:
            raise ValueError(f"expected at least 1 inner channel, received {inner}")
        self.subsample = subsample
        self.pairwise = pairwise(channels, inner)
        self.claim = pairwise.claim
        self.value = nn.Conv2d(channels, inner, kernel_size=1)
        self.pool = nn.MaxPool2d(2) if subsample else nn.Identity()
        self.project = self._projection(inner, channels, norm, project_bias)

    @staticmethod
    def _projection(inner: int, channels: int, norm: bool, bias: bool) -> nn.Sequential:
        conv = nn.Conv2d(inner, channels, kernel_size=1, bias=bias)
        layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
        last: nn.Conv2d | nn.BatchNorm2d = conv
        if norm:
            last = layers["norm"] = nn.BatchNorm2d(channels)
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)
        return nn.Sequential(layers)

    def attention_of(self, x: Feature) -> PairwiseAffinity:
        """Return A as its factors; raises ValueError where sub-sampling leaves no key."""
        if self.subsample and min(x.shape[2:]) < 2:
            raise ValueError(f"expected at least 2 x 2 places to pool, received {tuple(x.shape)}")
        return self.pairwise(x, self.pool)

    def apply_attention(self, attention: PairwiseAffinity, x: Feature) -> Feature:
        """Return W (A g(x)) + x."""
        gathered = attention.aggregate(tokens(self.pool(self.value(x))))
        return self.project(places(gathered, x)) + x

    def key_cells(self) -> int:
        return 2 if self.subsample else 1


def _pairwise_of(name: str) -> type[PairwiseFunction]:
    if name not in PAIRWISE:
        raise ValueError(f"expected a pairwise function of {sorted(PAIRWISE)}, received {name!r}")
    return PAIRWISE[name]


def _from_block2d(
    variant: str,
    in_channels: int,
    inter_channels: int | None = None,
    sub_sample: bool = True,
    bn_layer: bool = True,
) -> NonLocalBlock:
    # The original has one file for each function, and the same class name in all of them.
    pairwise = _pairwise_of(variant.split("__")[0])
    return NonLocalBlock(in_channels, inter_channels, pairwise, sub_sample, norm=bn_layer)


def _from_mmcv(
    variant: str,
    in_channels: int,
    sub_sample: bool = False,
    conv_cfg: Any = None,
    reduction: int = 2,
    use_scale: bool = True,
    norm_cfg: Mapping[str, Any] | None = None,
    mode: str = "embedded_gaussian",
    zeros_init: bool = True,
) -> NonLocalBlock:
    if norm_cfg is not None and norm_cfg.get("type") not in ("BN", "BN2d", "SyncBN"):
        raise ValueError(f"expected a batch norm, received norm_cfg {norm_cfg}")
    # Only the embedded Gaussian is scaled there; the other functions ignore use_scale.
    scaled = use_scale and mode == "embedded_gaussian"
    pairwise = _pairwise_of(f"{mode}__scaled" if scaled else mode)
    inner = max(1, in_channels // reduction)
    has_norm = norm_cfg is not None
    block = NonLocalBlock(
        in_channels, inner, pairwise, sub_sample, norm=has_norm, project_bias=not has_norm
    )
    for layer in block.project:
        if isinstance(layer, nn.BatchNorm2d) and norm_cfg is not None:
            layer.eps = norm_cfg.get("eps", layer.eps)
    return block


def _block(pairwise: type[PairwiseFunction], subsample: bool, channels: int) -> NonLocalBlock:
    return NonLocalBlock(channels, pairwise=pairwise, subsample=subsample)


def _in_host(channels: int) -> NonLocalBlock:
    return NonLocalBlock(channels, pairwise=ScaledEmbeddedGaussian)


def _as_context(channels: int) -> NonLocalBlock:
    block = _in_host(channels)
    # What follows is trained too, so the block need not start as identity: its affinity then
    # learns from the first step, instead of waiting for the norm's weight to leave zero.
    norm = block.project[-1]
    nn.init.constant_(norm.weight, 0.5)  # type: ignore[arg-type]
    return block


MECHANISM = Mechanism(
    slug="nonlocal",
    name="Non-local block",
    family="self-attention",
    goals=(Goal.LONG_RANGE, Goal.DENOISING),
    growth=Growth("O(N²)", 2.0),
    paper=Paper(
        title="Non-local Neural Networks",
        authors="Wang, Girshick, Gupta, He",
        venue="CVPR",
        year=2018,
        arxiv="1711.07971",
    ),
    variants={
        f"{name}{suffix}": partial(_block, function, bool(suffix))
        for name, function in PAIRWISE.items()
        for suffix in ("", "__sub_sample")
    },
    references={
        "NONLocalBlock2D": Reference(
            build=_from_block2d,
            positional=("in_channels", "inter_channels", "sub_sample", "bn_layer"),
            attention={"affinity": ""},
            rename=(
                (r"^g\.(0\.)?(weight|bias)$", r"value.\2"),
                (r"^theta\.(weight|bias)$", r"pairwise.theta.\1"),
                (r"^phi\.(0\.)?(weight|bias)$", r"pairwise.phi.\2"),
                (r"^concat_project\.0\.", "pairwise.project."),
                (r"^W\.0\.", "project.conv."),
                (r"^W\.1\.", "project.norm."),
                (r"^W\.", "project.conv."),
            ),
        ),
        "NonLocal2d": Reference(
            build=_from_mmcv,
            positional=("in_channels", "sub_sample", "conv_cfg"),
            attention={"affinity": ""},
            rename=(
                (r"^g\.(0\.)?conv\.", "value."),
                (r"^theta\.conv\.", "pairwise.theta."),
                (r"^phi\.(0\.)?conv\.", "pairwise.phi."),
                (r"^concat_project\.conv\.", "pairwise.project."),
                (r"^conv_out\.conv\.", "project.conv."),
                (r"^conv_out\.bn\.", "project.norm."),
            ),
        ),
    },
    plugs={
        "classifier": Plug(Placement.ONCE, _in_host),
        "segmenter": Plug(Placement.CONTEXT, _as_context),
    },
)
