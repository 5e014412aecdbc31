"""Contact sheets: every network on the same pictures under the same pointer."""
