"""What the zoo's networks attend with: the kinds of attention by survey family and paper."""

from __future__ import annotations

from dataclasses import dataclass

from models.mechanism import Paper

CHANNEL, BRANCH, SELF, CONTROL = "channel", "branch", "self-attention", "control"
"""families as the survey has them; a control is a network without attention, to compare with"""


@dataclass(frozen=True)
class Group:
    """Networks that attend in one way.

    Args:
        family: which family of the survey that is.
        paper: where it was published.
        attends: whether there is attention to capture; the controls have none.
    """

    family: str
    paper: Paper
    attends: bool = True


GROUPS: dict[str, Group] = {
    "se": Group(
        CHANNEL,
        Paper("Squeeze-and-Excitation Networks", "Hu et al.", "CVPR", 2018, "1709.01507"),
    ),
    "mobilenet": Group(
        CHANNEL, Paper("Searching for MobileNetV3", "Howard et al.", "ICCV", 2019, "1905.02244")
    ),
    "efficientnet": Group(
        CHANNEL,
        Paper(
            "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
            "Tan and Le",
            "ICML",
            2019,
            "1905.11946",
        ),
    ),
    "regnet": Group(
        CHANNEL,
        Paper("Designing Network Design Spaces", "Radosavovic et al.", "CVPR", 2020, "2003.13678"),
    ),
    "eca": Group(
        CHANNEL,
        Paper(
            "ECA-Net: Efficient Channel Attention for Deep Convolutional Neural Networks",
            "Wang et al.",
            "CVPR",
            2020,
            "1910.03151",
        ),
    ),
    "gc": Group(
        SELF,
        Paper(
            "GCNet: Non-local Networks Meet Squeeze-Excitation Networks and Beyond",
            "Cao et al.",
            "ICCV Workshops",
            2019,
            "1904.11492",
        ),
    ),
    "sk": Group(
        BRANCH, Paper("Selective Kernel Networks", "Li et al.", "CVPR", 2019, "1903.06586")
    ),
    "split": Group(
        BRANCH,
        Paper(
            "ResNeSt: Split-Attention Networks",
            "Zhang et al.",
            "CVPR Workshops",
            2022,
            "2004.08955",
        ),
    ),
    "bat": Group(
        SELF,
        Paper(
            "Non-local Neural Networks with Grouped Bilinear Attentional Transforms",
            "Chi et al.",
            "CVPR",
            2020,
        ),
    ),
    "bot": Group(
        SELF,
        Paper(
            "Bottleneck Transformers for Visual Recognition",
            "Srinivas et al.",
            "CVPR",
            2021,
            "2101.11605",
        ),
    ),
    "halo": Group(
        SELF,
        Paper(
            "Scaling Local Self-Attention for Parameter Efficient Visual Backbones",
            "Vaswani et al.",
            "CVPR",
            2021,
            "2103.12731",
        ),
    ),
    "vit": Group(
        SELF,
        Paper(
            "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
            "Dosovitskiy et al.",
            "ICLR",
            2021,
            "2010.11929",
        ),
    ),
    "deit": Group(
        SELF,
        Paper(
            "Training data-efficient image transformers & distillation through attention",
            "Touvron et al.",
            "ICML",
            2021,
            "2012.12877",
        ),
    ),
    "dino": Group(
        SELF,
        Paper(
            "Emerging Properties in Self-Supervised Vision Transformers",
            "Caron et al.",
            "ICCV",
            2021,
            "2104.14294",
        ),
    ),
    "swin": Group(
        SELF,
        Paper(
            "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
            "Liu et al.",
            "ICCV",
            2021,
            "2103.14030",
        ),
    ),
    "coatnet": Group(
        SELF,
        Paper(
            "CoAtNet: Marrying Convolution and Attention for All Data Sizes",
            "Dai et al.",
            "NeurIPS",
            2021,
            "2106.04803",
        ),
    ),
    "swinv2": Group(
        SELF,
        Paper(
            "Swin Transformer V2: Scaling Up Capacity and Resolution",
            "Liu et al.",
            "CVPR",
            2022,
            "2111.09883",
        ),
    ),
    "maxvit": Group(
        SELF,
        Paper("MaxViT: Multi-Axis Vision Transformer", "Tu et al.", "ECCV", 2022, "2204.01697"),
    ),
    "dinov2": Group(
        SELF,
        Paper(
            "DINOv2: Learning Robust Visual Features without Supervision",
            "Oquab et al.",
            "TMLR",
            2024,
            "2304.07193",
        ),
    ),
    "registers": Group(
        SELF,
        Paper("Vision Transformers Need Registers", "Darcet et al.", "ICLR", 2024, "2309.16588"),
    ),
    "dinov3": Group(SELF, Paper("DINOv3", "Siméoni et al.", "arXiv", 2025, "2508.10104")),
    "lraspp": Group(
        CHANNEL, Paper("Searching for MobileNetV3", "Howard et al.", "ICCV", 2019, "1905.02244")
    ),
    "deeplab": Group(
        CONTROL,
        Paper(
            "Rethinking Atrous Convolution for Semantic Image Segmentation",
            "Chen et al.",
            "arXiv",
            2017,
            "1706.05587",
        ),
        attends=False,
    ),
    "deeplab_se": Group(
        CHANNEL,
        Paper(
            "Rethinking Atrous Convolution for Semantic Image Segmentation",
            "Chen et al.",
            "arXiv",
            2017,
            "1706.05587",
        ),
    ),
    "convnext": Group(
        CONTROL,
        Paper("A ConvNet for the 2020s", "Liu et al.", "CVPR", 2022, "2201.03545"),
        attends=False,
    ),
}
"""by the key under which the catalogue describes them"""
