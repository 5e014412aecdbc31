"""The version of this program, as pyproject.toml says it too."""

VERSION = "0.1.0"
