"""Attention of any network, found by what it computes and captured as our own networks' is."""
