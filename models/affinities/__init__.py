"""The rarer forms of pairwise attention: paths, anchors, groups, low rank, several together."""
