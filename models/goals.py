"""What an attention is for: the goals by which the survey tells mechanisms apart."""

from __future__ import annotations

from enum import Enum


class Goal(Enum):
    """One goal of the survey's tables, in our words.

    Guo et al.: Attention mechanisms in computer vision: A survey. Computational Visual Media 2022,
    arXiv 2111.07624. Its table of spatial attention numbers the first seven from I to VII; the
    others are those of its tables of channel attention (two), channel and spatial attention (one)
    and branch attention (three). Which goals a mechanism has is judged from its own paper.
    """

    REGIONS = "regions"
    SAVING = "saving"
    INVARIANCE = "invariance"
    LONG_RANGE = "long_range"
    DENOISING = "denoising"
    NEIGHBOURS = "neighbours"
    LESS_BIAS = "less_bias"
    CHANNELS = "channels"
    WHOLE = "whole"
    DOMAINS = "domains"
    BRANCHES = "branches"
    WINDOW = "window"
    KERNELS = "kernels"

    @property
    def numeral(self) -> str:
        """Return the number of a goal of spatial attention in the survey, "" for the others."""
        return _NUMERALS.get(self, "")

    @property
    def sentence(self) -> str:
        """Return what is meant, as an aim: "relate places far apart"."""
        return _SENTENCES[self]


_NUMERALS = {
    Goal.REGIONS: "I",
    Goal.SAVING: "II",
    Goal.INVARIANCE: "III",
    Goal.LONG_RANGE: "IV",
    Goal.DENOISING: "V",
    Goal.NEIGHBOURS: "VI",
    Goal.LESS_BIAS: "VII",
}

_SENTENCES = {
    Goal.REGIONS: "find the discriminative regions",
    Goal.SAVING: "spare computation on large inputs",
    Goal.INVARIANCE: "become invariant to transformations",
    Goal.LONG_RANGE: "relate places far apart (long-range dependencies)",
    Goal.DENOISING: "remove noise from the features",
    Goal.NEIGHBOURS: "mix neighbours by what they hold",
    Goal.LESS_BIAS: "assume less of pictures (inductive bias)",
    Goal.CHANNELS: "bring out the channels that matter",
    Goal.WHOLE: "draw on the whole picture (global information)",
    Goal.DOMAINS: "let channels and places interact",
    Goal.BRANCHES: "combine branches anew for each input",
    Goal.WINDOW: "fit the receptive field to the input",
    Goal.KERNELS: "mix kernels anew for each input",
}
