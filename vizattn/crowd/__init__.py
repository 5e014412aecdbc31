"""How many people, where, and which sense was trusted: an RGB picture, a thermal one, or both."""
