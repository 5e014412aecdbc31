"""How jaxtyping's annotations are checked while tests run."""

from beartype import BeartypeConf, beartype

# As for type checkers (PEP 484), an int will do where a float is expected.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
