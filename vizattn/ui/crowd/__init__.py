"""The tab "Crowd": a pair of pictures, how many people, and which sense was trusted where."""
