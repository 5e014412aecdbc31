"""What tokens without a place are called: by the parameters that they come from."""

from __future__ import annotations

from collections.abc import Sequence

CLASS, DISTILLATION, REGISTER, EXTRA = "class_token", "distillation_token", "register", "extra"
_CALLED = {
    "cls": CLASS,
    "cls_token": CLASS,
    "class_token": CLASS,
    "cls_embed": CLASS,
    "cls_embedding": CLASS,
    "class_embedding": CLASS,
    "dist_token": DISTILLATION,
    "distillation_token": DISTILLATION,
    "reg_token": REGISTER,
    "reg_tokens": REGISTER,
    "register": REGISTER,
    "registers": REGISTER,
    "register_token": REGISTER,
    "register_tokens": REGISTER,
    "storage_tokens": REGISTER,
}
"""by what libraries call a parameter, what its tokens are"""


def token_names(parameters: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return what tokens are called, by names in the catalogue; "register-2" is the second.

    There is one class token at most: where a parameter of that name makes several tokens, nothing
    says which of them it is.

    Args:
        parameters: of each token, the dotted names of the parameters that it was made of.
    """
    found = [_called(each) for each in parameters]
    names, counts = [], dict.fromkeys((REGISTER, EXTRA), 0)
    for each in found:
        kind = each if each == REGISTER or found.count(each) == 1 else EXTRA
        if kind in counts:
            counts[kind] += 1
            kind = f"{kind}-{counts[kind]}"
        names.append(kind)
    return tuple(names)


def is_token(parameters: tuple[str, ...]) -> bool:
    """Return whether what was made of some parameters is a token by its name."""
    return _called(parameters) != EXTRA


def _called(parameters: tuple[str, ...]) -> str:
    own = (_CALLED.get(name.rpartition(".")[2]) for name in parameters)
    return next((each for each in own if each is not None), EXTRA)
