"""Surgery: another attention in the place of the one that a network made, all through its taps."""
