"""Networks that others trained: which there are, where their weights come from, how they load."""
