"""The commands of ``python -m vizattn``: one file each, found by scanning this folder.

A file declares ``NAME``, ``HELP``, ``add_arguments(parser)`` and ``run(options)``; the last returns
the exit code.
"""
