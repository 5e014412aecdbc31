"""One file a mechanism; ``models.mechanism.mechanisms`` finds them by scanning this folder."""
