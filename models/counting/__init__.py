"""Counting people by points: what networks are trained against and what counts are judged by."""
