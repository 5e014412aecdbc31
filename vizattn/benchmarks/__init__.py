"""How fast it is on this machine: measured in one run, as ratios and medians wherever possible."""
