"""Which operator made which tensor from which, without keeping any tensor of features alive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from vizattn.foreign.moves import MOVES
from vizattn.foreign.operators import operator

_LARGEST_INDEX = 4_000_000
"""numbers of an index that is kept, so that what it picks can be followed"""


class Node:
    """What is remembered of a tensor: its shape, and the operator that made it.

    Args:
        shape: of the tensor.
        active: whether it depends on what the network was given.
        function: the operator; None for what was there before, or lost.
        arguments: of the operator, with nodes in the place of tensors.
        keywords: likewise.
        part: which of several results it is.
        value: the numbers of an index, or of a grid, which decide where others go.
        given: whether it is an input of the network.
        parameters: of what does not depend on the input, the parameters that it was made of.
    """

    __slots__ = (
        "active",
        "arguments",
        "function",
        "given",
        "keywords",
        "parameters",
        "part",
        "shape",
        "value",
    )

    def __init__(
        self,
        shape: tuple[int, ...],
        active: bool,
        function: Any = None,
        arguments: Sequence[Any] = (),
        keywords: Mapping[str, Any] | None = None,
        part: int | None = None,
        value: Tensor | None = None,
        given: bool = False,
        parameters: tuple[str, ...] = (),
    ) -> None:
        self.shape = shape
        self.active = active
        self.function = function
        self.arguments = arguments
        self.keywords = keywords or {}
        self.part = part
        self.value = value
        self.given = given
        self.parameters = parameters

    @property
    def name(self) -> str:
        """Return the operator's name; "" where there is none."""
        return operator(self.function).name if self.function is not None else ""

    def parents(self) -> list[Node]:
        """Return the nodes of all tensors among the arguments."""
        return [each for each in leaves((self.arguments, self.keywords)) if isinstance(each, Node)]


def leaves(tree: Any) -> Iterator[Any]:
    """Give everything inside nested lists, tuples and mappings."""
    if isinstance(tree, (list, tuple)):
        for each in tree:
            yield from leaves(each)
    elif isinstance(tree, Mapping):
        for each in tree.values():
            yield from leaves(each)
    else:
        yield tree


def tensors_of(tree: Any) -> list[Tensor]:
    """Return every tensor with a shape inside nested lists, tuples and mappings."""
    return [each for each in leaves(tree) if isinstance(each, Tensor) and not each.is_nested]


def mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    """Return nested lists, tuples and mappings with every leaf changed."""
    if isinstance(tree, (list, tuple)):
        return [mapped(each, change) for each in tree]
    if isinstance(tree, Mapping):
        return {key: mapped(each, change) for key, each in tree.items()}
    return change(tree)


def broadcast(*shapes: Sequence[int]) -> tuple[int, ...]:
    """Return the shape to which shapes that fit are stretched; torch's own imports SymPy."""
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(max(lengths) if 0 not in lengths else 0 for lengths in zip(*padded, strict=True))


def address(tensor: Tensor) -> int:
    """Return where the memory begins that a tensor shares with its views; 0 where it has none."""
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError):
        return 0


class Graph:
    """The nodes of the tensors that are alive; what none of them came from is forgotten.

    Args:
        parameters: a network's own tensors, by name.
    """

    def __init__(self, parameters: Iterable[tuple[str, Tensor]] = ()) -> None:
        self._nodes = WeakTensorKeyDictionary()
        self._written: set[int] = set()
        self._parameters = {address(each): name for name, each in parameters}
        self._made_of = WeakTensorKeyDictionary()
        self._placed = WeakTensorKeyDictionary()

    def give(self, tensor: Tensor) -> None:
        """Declare an input of the network."""
        self._nodes[tensor] = Node(tuple(tensor.shape), True, given=True)

    def node(self, tensor: Tensor) -> Node:
        """Return a tensor's node; what no input reached is a constant."""
        found = self._nodes.get(tensor)
        if found is None:
            written = address(tensor) in self._written
            found = Node(tuple(tensor.shape), written, parameters=self._origins(tensor))
        if found.value is None and _is_index(tensor):
            found = Node(found.shape, found.active, value=tensor)
        return found

    def keep_value(self, tensor: Tensor) -> None:
        """Remember the numbers of a tensor that decides where others go."""
        self.node(tensor).value = tensor.clone()

    def place(self, tensor: Tensor, node: Node) -> None:
        """Let the numbers of a tensor lie where those of another one did, whatever made it."""
        self._nodes[tensor] = node
        self._placed[tensor] = True

    def active(self, tensor: Tensor) -> bool:
        """Return whether a tensor depends on what the network was given."""
        found = self._nodes.get(tensor)
        return found.active if found is not None else address(tensor) in self._written

    def record(self, function: Any, arguments: Any, keywords: Any, result: Any) -> None:
        """Remember what an operator made, if it made it from what the network was given."""
        given = tensors_of((arguments, keywords))
        placed = isinstance(result, Tensor) and result in self._placed
        if placed and not operator(function).written:
            return
        if not any(self.active(each) for each in given):
            self._constant(function, given, result)
            return
        kept = mapped((list(arguments), dict(keywords)), self._kept)
        several = isinstance(result, (list, tuple))
        made = list(result) if several else [result]
        nodes = [
            Node(tuple(each.shape), True, function, kept[0], kept[1], index if several else None)
            for index, each in enumerate(made)
            if isinstance(each, Tensor) and not each.is_nested
        ]
        for position in operator(function).written:
            if position < len(arguments) and isinstance(arguments[position], Tensor):
                self._overwrite(arguments[position], function)
        for each, node in zip(tensors_of(made), nodes, strict=True):
            self._nodes[each] = node

    def _constant(self, function: Any, given: list[Tensor], result: Any) -> None:
        """Remember which parameters a constant comes from, where no numbers were mixed."""
        about = operator(function)
        if isinstance(result, Tensor) and (about.pointwise or about.name in MOVES):
            names = dict.fromkeys(name for each in given for name in self._origins(each))
            if names and address(result) not in self._parameters:
                self._made_of[result] = tuple(names)

    def _origins(self, tensor: Tensor) -> tuple[str, ...]:
        own = self._parameters.get(address(tensor))
        return (own,) if own is not None else self._made_of.get(tensor, ())

    def _kept(self, leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            return None if leaf.is_nested else self.node(leaf)
        return leaf

    def _overwrite(self, target: Tensor, function: Any) -> None:
        """Forget how tensors were made that share memory with one that is written into.

        Operators on single numbers move nothing: places stay what they were.
        """
        where = address(target)
        self._written.add(where)
        if operator(function).pointwise and operator(function).name != "copy":
            return
        for other in list(self._nodes.keys()):
            if other is not target and address(other) == where:
                self._nodes[other] = Node(tuple(other.shape), True)


def _is_index(tensor: Tensor) -> bool:
    whole = not (tensor.is_floating_point() or tensor.is_complex())
    return whole and tensor.numel() <= _LARGEST_INDEX
