"""The zoo's table: one line a network, and beside it what the libraries say of each.

A line says what only we can say: which network, and what it attends with. Sizes, licences and
preprocessing are the libraries' own, read from them by ``python -m models.zoo.survey`` and kept in
``facts.json``, so that a list needs neither library; a test holds the file against both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from models.preprocessing import Preprocessing
from models.zoo.groups import GROUPS, Group

TIMM, TORCHVISION = "timm", "torchvision"
CLASSIFY, SEGMENT, FEATURES = "classify", "segment", "features"
FACTS = Path(__file__).with_name("facts.json")


@dataclass(frozen=True)
class Entry:
    """A network that somebody else trained.

    Args:
        title: what it is called.
        source: the library that builds it: "timm" or "torchvision".
        architecture: the library's name of the architecture.
        tag: the library's name of the weights.
        task: "classify", "segment", or "features" for a network without classes.
        kind: key in ``GROUPS`` of what it attends with.
        origin: where its weights are: a repository of the Hugging Face hub, or a file's address.
        bytes: of the download.
        parameters: how many numbers were trained.
        licence: of the weights.
        size: native (rows, columns) of its input.
        fixed: whether it takes no other size.
        resized: short side, in pixels, to which its own evaluation scales a picture before it cuts
            out the middle.
        mean: of the three colours, in 0..1.
        std: of the three colours, in 0..1.
        interpolation: "bilinear" or "bicubic".
    """

    title: str
    source: str
    architecture: str
    tag: str
    task: str
    kind: str
    origin: str
    bytes: int
    parameters: int
    licence: str
    size: tuple[int, int]
    fixed: bool
    resized: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str

    @property
    def name(self) -> str:
        """Return its name among all networks, in timm's manner; fit for files and addresses."""
        return f"{self.architecture}.{self.tag}"

    @property
    def group(self) -> Group:
        """Return what it attends with."""
        return GROUPS[self.kind]

    @property
    def megabytes(self) -> float:
        """Return the size of the download in millions of bytes."""
        return self.bytes / 1e6

    @property
    def preprocessing(self) -> Preprocessing:
        """Return what must happen to pixels first.

        Objects are as large as in the network's own evaluation, but the whole picture is kept,
        where that would cut out the middle: at the side before the cut where the network takes any
        size, and between bars where it does not.
        """
        if self.fixed:
            return Preprocessing(self.size, "letterbox", self.mean, self.std, self.interpolation)
        size = (self.resized, self.resized)
        return Preprocessing(size, "short", self.mean, self.std, self.interpolation)


_LINES: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("SE-ResNet-18", TIMM, "legacy_seresnet18", "in1k", CLASSIFY, "se"),
    ("SE-ResNet-50", TIMM, "seresnet50", "a1_in1k", CLASSIFY, "se"),
    ("SE-ResNeXt-26t", TIMM, "seresnext26t_32x4d", "bt_in1k", CLASSIFY, "se"),
    ("MobileNetV3 small", TIMM, "mobilenetv3_small_100", "lamb_in1k", CLASSIFY, "mobilenet"),
    ("MobileNetV3 large", TIMM, "mobilenetv3_large_100", "ra_in1k", CLASSIFY, "mobilenet"),
    (
        "MobileNetV3 small (torchvision)",
        TORCHVISION,
        "mobilenet_v3_small",
        "IMAGENET1K_V1",
        CLASSIFY,
        "mobilenet",
    ),
    ("EfficientNet-B0", TIMM, "efficientnet_b0", "ra_in1k", CLASSIFY, "efficientnet"),
    (
        "EfficientNet-B0 (torchvision)",
        TORCHVISION,
        "efficientnet_b0",
        "IMAGENET1K_V1",
        CLASSIFY,
        "efficientnet",
    ),
    ("RegNetY-200MF", TIMM, "regnety_002", "pycls_in1k", CLASSIFY, "regnet"),
    ("RegNetY-800MF", TIMM, "regnety_008", "pycls_in1k", CLASSIFY, "regnet"),
    (
        "RegNetY-400MF (torchvision)",
        TORCHVISION,
        "regnet_y_400mf",
        "IMAGENET1K_V2",
        CLASSIFY,
        "regnet",
    ),
    ("ECA-ResNet-26t", TIMM, "ecaresnet26t", "ra2_in1k", CLASSIFY, "eca"),
    ("ECA-ResNet-50t", TIMM, "ecaresnet50t", "a1_in1k", CLASSIFY, "eca"),
    ("ECA-ResNeXt-26ts", TIMM, "eca_resnext26ts", "ch_in1k", CLASSIFY, "eca"),
    ("GC-ResNet-33ts", TIMM, "gcresnet33ts", "ra2_in1k", CLASSIFY, "gc"),
    ("GC-ResNeXt-26ts", TIMM, "gcresnext26ts", "ch_in1k", CLASSIFY, "gc"),
    ("SK-ResNet-18", TIMM, "skresnet18", "ra_in1k", CLASSIFY, "sk"),
    ("SK-ResNet-34", TIMM, "skresnet34", "ra_in1k", CLASSIFY, "sk"),
    ("ResNeSt-14d", TIMM, "resnest14d", "gluon_in1k", CLASSIFY, "split"),
    ("ResNeSt-50d", TIMM, "resnest50d", "in1k", CLASSIFY, "split"),
    ("BAT-ResNeXt-26ts", TIMM, "bat_resnext26ts", "ch_in1k", CLASSIFY, "bat"),
    ("BoTNet-26t", TIMM, "botnet26t_256", "c1_in1k", CLASSIFY, "bot"),
    ("BoTNeXt-26ts with ECA", TIMM, "eca_botnext26ts_256", "c1_in1k", CLASSIFY, "bot"),
    ("BoTNet-33ts with SE", TIMM, "sebotnet33ts_256", "a1h_in1k", CLASSIFY, "bot"),
    ("HaloNet-26t", TIMM, "halonet26t", "a1h_in1k", CLASSIFY, "halo"),
    ("HaloNeXt-26ts with ECA", TIMM, "eca_halonext26ts", "c1_in1k", CLASSIFY, "halo"),
    ("HaloNet-33ts with SE", TIMM, "sehalonet33ts", "ra2_in1k", CLASSIFY, "halo"),
    ("ViT-Ti/16", TIMM, "vit_tiny_patch16_224", "augreg_in21k_ft_in1k", CLASSIFY, "vit"),
    ("ViT-S/16", TIMM, "vit_small_patch16_224", "augreg_in21k_ft_in1k", CLASSIFY, "vit"),
    ("ViT-S/32", TIMM, "vit_small_patch32_224", "augreg_in21k_ft_in1k", CLASSIFY, "vit"),
    ("ViT-B/16 (torchvision)", TORCHVISION, "vit_b_16", "IMAGENET1K_V1", CLASSIFY, "vit"),
    ("DeiT-Ti", TIMM, "deit_tiny_patch16_224", "fb_in1k", CLASSIFY, "deit"),
    ("DeiT-Ti distilled", TIMM, "deit_tiny_distilled_patch16_224", "fb_in1k", CLASSIFY, "deit"),
    ("DeiT-S", TIMM, "deit_small_patch16_224", "fb_in1k", CLASSIFY, "deit"),
    ("DeiT-III-S", TIMM, "deit3_small_patch16_224", "fb_in1k", CLASSIFY, "deit"),
    ("DINO ViT-S/16", TIMM, "vit_small_patch16_224", "dino", FEATURES, "dino"),
    ("DINO ViT-S/8", TIMM, "vit_small_patch8_224", "dino", FEATURES, "dino"),
    ("DINOv2 ViT-S/14", TIMM, "vit_small_patch14_dinov2", "lvd142m", FEATURES, "dinov2"),
    (
        "DINOv2 ViT-S/14 with registers",
        TIMM,
        "vit_small_patch14_reg4_dinov2",
        "lvd142m",
        FEATURES,
        "registers",
    ),
    (
        "DINOv2 ViT-B/14 with registers",
        TIMM,
        "vit_base_patch14_reg4_dinov2",
        "lvd142m",
        FEATURES,
        "registers",
    ),
    ("DINOv3 ViT-S/16", TIMM, "vit_small_patch16_dinov3", "lvd1689m", FEATURES, "dinov3"),
    ("Swin-T", TIMM, "swin_tiny_patch4_window7_224", "ms_in1k", CLASSIFY, "swin"),
    ("Swin-S3-T", TIMM, "swin_s3_tiny_224", "ms_in1k", CLASSIFY, "swin"),
    ("Swin-T (torchvision)", TORCHVISION, "swin_t", "IMAGENET1K_V1", CLASSIFY, "swin"),
    ("Swin-V2-T", TIMM, "swinv2_tiny_window8_256", "ms_in1k", CLASSIFY, "swinv2"),
    ("Swin-V2-T (torchvision)", TORCHVISION, "swin_v2_t", "IMAGENET1K_V1", CLASSIFY, "swinv2"),
    ("CoAtNet-nano", TIMM, "coatnet_nano_rw_224", "sw_in1k", CLASSIFY, "coatnet"),
    ("CoAtNet-0", TIMM, "coatnet_0_rw_224", "sw_in1k", CLASSIFY, "coatnet"),
    ("MaxViT-pico", TIMM, "maxvit_rmlp_pico_rw_256", "sw_in1k", CLASSIFY, "maxvit"),
    ("MaxViT-nano", TIMM, "maxvit_nano_rw_256", "sw_in1k", CLASSIFY, "maxvit"),
    ("MaxViT-T", TIMM, "maxvit_tiny_tf_224", "in1k", CLASSIFY, "maxvit"),
    ("MaxViT-T (torchvision)", TORCHVISION, "maxvit_t", "IMAGENET1K_V1", CLASSIFY, "maxvit"),
    (
        "LR-ASPP, MobileNetV3 large",
        TORCHVISION,
        "lraspp_mobilenet_v3_large",
        "COCO_WITH_VOC_LABELS_V1",
        SEGMENT,
        "lraspp",
    ),
    (
        "DeepLabV3, MobileNetV3 large",
        TORCHVISION,
        "deeplabv3_mobilenet_v3_large",
        "COCO_WITH_VOC_LABELS_V1",
        SEGMENT,
        "deeplab_se",
    ),
    (
        "DeepLabV3, ResNet-50",
        TORCHVISION,
        "deeplabv3_resnet50",
        "COCO_WITH_VOC_LABELS_V1",
        SEGMENT,
        "deeplab",
    ),
    ("ConvNeXt-atto", TIMM, "convnext_atto", "d2_in1k", CLASSIFY, "convnext"),
    ("ConvNeXt-T", TIMM, "convnext_tiny", "fb_in1k", CLASSIFY, "convnext"),
    (
        "ConvNeXt-T (torchvision)",
        TORCHVISION,
        "convnext_tiny",
        "IMAGENET1K_V1",
        CLASSIFY,
        "convnext",
    ),
)
"""title, source, architecture, tag, task and kind; what else there is to say: ``facts.json``"""


@dataclass(frozen=True)
class Line:
    """What only we can say of an entry; see there."""

    title: str
    source: str
    architecture: str
    tag: str
    task: str
    kind: str


LINES = tuple(Line(*line) for line in _LINES)


@cache
def entries() -> dict[str, Entry]:
    """Return the zoo by name, in the table's order.

    Raises:
        ValueError: if the table and ``facts.json`` are not about the same networks.
    """
    known: dict[str, dict[str, Any]] = json.loads(FACTS.read_text(encoding="utf-8"))
    names = [f"{line.architecture}.{line.tag}" for line in LINES]
    if list(known) != names:
        raise ValueError(f"expected facts of {names}, received {list(known)}: run the survey again")
    found = {}
    for name, line in zip(names, LINES, strict=True):
        facts = known[name]
        sides = {key: tuple(facts[key]) for key in ("size", "mean", "std")}
        found[name] = Entry(**vars(line) | facts | sides)
    return found
