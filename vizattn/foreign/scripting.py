"""The script that makes one look at somebody's own module again: the module has to be brought."""

from __future__ import annotations

from textwrap import indent

from vizattn.foreign.preparing import TENSOR
from vizattn.foreign.stranger import Stranger
from vizattn.version import VERSION


def script_for(network: Stranger, file_name: str, made: str, by_hand: str = "") -> str:
    """Return a Python script with a function that is called with the module.

    What a file cannot hold has to be brought with it: a function that prepares pictures, and an
    input that was no picture.

    Args:
        network: the module and what is known of it.
        file_name: where the script finds the picture.
        made: what else is asked of ``seen``, and in further lines how it is drawn and written.
        by_hand: the argument for a grid of tokens that a person has set.
    """
    needed = ["model"]
    usual = [f"image={file_name!r}"]
    if file_name == TENSOR:
        needed, usual = [*needed, "image"], []
    if network.prepare is not None:
        needed.append("preprocess")
    else:
        usual.append(f"preprocess={network.preprocessing!r}")
    maps, _, drawn = made.partition("\n")
    places = " ".join(f"PACKAGE.MODULE:{name}" for name in needed)
    taken = ", ".join((*needed, *usual))
    return f'''"""Make the figure and the arrays of one look again; written by vizattn {VERSION}.

The network is a module of your own, of the class {type(network.module).__name__}, and no part of
vizattn. Bring it along, with the same weights:

    from reproduce import reproduce
    reproduce({", ".join(needed)})

or say where each of these is, as the name of something in a file that Python can import:

    python reproduce.py {places}
"""

import importlib
import sys

import vizattn
from models.preprocessing import Preprocessing

CLASSES = {network.card.classes!r}


def reproduce({taken}):
    seen = vizattn.capture(model, image, preprocess, CLASSES, required=False{by_hand}){maps}
{indent(drawn, "    ")}

def brought(place):
    home, _, name = place.partition(":")
    return getattr(importlib.import_module(home), name)


if __name__ == "__main__":
    if len(sys.argv) != 1 + {len(needed)}:
        sys.exit("usage: python reproduce.py {places}")
    sys.path.insert(0, ".")
    reproduce(*(brought(place) for place in sys.argv[1:]))
'''
