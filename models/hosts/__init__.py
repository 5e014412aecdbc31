"""Networks that a mechanism plugs into."""
