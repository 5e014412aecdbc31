"""The command line: ``python -m vizattn COMMAND``."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

import vizattn.commands as folder
from vizattn.texts import Refused

WRONG = 2
"""exit code where what a person gave cannot be used"""


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2."""
        self.exit(WRONG, f"{self.prog}: {message}\n")


def commands() -> list[ModuleType]:
    """Return the commands, found by scanning ``vizattn/commands``, by name."""
    names = [module.name for module in pkgutil.iter_modules(folder.__path__) if not module.ispkg]
    found = [importlib.import_module(f"{folder.__name__}.{name}") for name in names]
    return sorted(found, key=lambda module: module.NAME)


def parser() -> Parser:
    """Return the parser of all commands; what it returns has the command's ``run``."""
    every = Parser(
        prog="python -m vizattn",
        description="See where a vision model looks, exactly, and check that the picture is true.",
    )
    choices = every.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in commands():
        one = choices.add_parser(module.NAME, help=module.HELP, description=module.__doc__)
        module.add_arguments(one)
        one.set_defaults(run=module.run)
    return every


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code, 2 with one sentence where something does not fit."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Refused, OSError) as error:
        print(f"vizattn {options.command}: {_sentence(error)}", file=sys.stderr)
        return WRONG


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


if __name__ == "__main__":
    raise SystemExit(main())
