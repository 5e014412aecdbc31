"""Class activation maps beside the attention: the same grids, scales, checks and exports."""
