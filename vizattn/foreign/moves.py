"""What operators do to places, by the operators' names."""

from __future__ import annotations

MAPS = {
    "conv2d",
    "convolution",
    "_convolution",
    "conv_transpose2d",
    "max_pool2d",
    "max_pool2d_with_indices",
    "avg_pool2d",
    "adaptive_avg_pool2d",
    "_adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "upsample_nearest2d",
    "upsample_nearest_exact2d",
    "upsample_bilinear2d",
    "upsample_bicubic2d",
    "_upsample_bilinear2d_aa",
    "_upsample_bicubic2d_aa",
    "pixel_shuffle",
    "pixel_unshuffle",
    "deform_conv2d",
}
"""operators from maps to maps of (batch, channel, row, column), each spread over the whole"""
MOVES = {
    "view",
    "reshape",
    "_unsafe_view",
    "_reshape_alias",
    "flatten",
    "unflatten",
    "unsqueeze",
    "squeeze",
    "permute",
    "transpose",
    "t",
    "movedim",
    "moveaxis",
    "swapaxes",
    "swapdims",
    "mT",
    "mH",
    "numpy_T",
    "adjoint",
    "expand",
    "repeat",
    "repeat_interleave",
    "tile",
    "slice",
    "narrow",
    "select",
    "split",
    "split_with_sizes",
    "chunk",
    "tensor_split",
    "unbind",
    "roll",
    "flip",
    "rot90",
    "index_select",
    "index",
    "gather",
    "take_along_dim",
    "unfold",
    "im2col",
    "as_strided",
    "diagonal",
    "hsplit",
    "vsplit",
    "channel_shuffle",
}
JOINS = {"cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack"}
LIKE = {"view_as", "reshape_as", "expand_as"}
SAMPLERS = {"grid_sampler", "grid_sampler_2d"}
"""operators that look at a map where a grid says"""
ASKING = {"scaled_dot_product_attention", "_scaled_dot_product_flash_attention_for_cpu"}
"""operators whose first argument asks, and whose result has its tokens"""
TOKENWISE = {
    "linear",
    "layer_norm",
    "native_layer_norm",
    "rms_norm",
    "_fused_rms_norm",
    "_native_multi_head_attention",
    "_transformer_encoder_layer_fwd",
}
"""operators that mix the last axis and leave the tokens where they are"""
PRODUCTS = {"matmul", "bmm", "mm", "einsum", "baddbmm"}
SUMS = {"sum", "nansum", "mean", "amax", "amin", "max", "min", "logsumexp"}
"""operators that make one number of all along some axes"""
WHOLE = {
    "softmax",
    "_softmax",
    "_safe_softmax",
    "log_softmax",
    "batch_norm",
    "native_batch_norm",
    "_native_batch_norm_legit_no_training",
    "group_norm",
    "native_group_norm",
    "instance_norm",
    "cumsum",
    "linalg_vector_norm",
    "dropout",
}
"""operators that leave all numbers where they are"""
