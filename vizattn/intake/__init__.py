"""A file, bytes, a Pillow image or an array to a checked, upright 8-bit RGB picture."""

from vizattn.intake.decoding import MAX_PIXELS, MAX_RATIO, MIN_SIDE
from vizattn.intake.reading import WORKING_PIXELS, Picture, read_picture
from vizattn.intake.remarks import Note, PictureError

__all__ = [
    "MAX_PIXELS",
    "MAX_RATIO",
    "MIN_SIDE",
    "WORKING_PIXELS",
    "Note",
    "Picture",
    "PictureError",
    "read_picture",
]
