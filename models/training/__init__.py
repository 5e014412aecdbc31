"""How the bundled networks were trained: ``python -m models.training NAME``."""
