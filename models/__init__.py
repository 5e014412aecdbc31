"""Networks with attention, their weights and how they were trained.

This package knows nothing of pictures on disk or of web pages and is useful alone,
as a library of attention mechanisms written from their papers.
"""
