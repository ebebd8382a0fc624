"""JSON and YAML that somebody else wrote, read within bounds: plain values, or a ``ValueError`` that says why not.

Whatever the bytes are, reading them ends soon, takes memory in proportion to their number, runs nothing of theirs and
gives only what can be written as JSON again: texts, booleans, finite numbers, null, lists and objects.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable
from typing import Any, NoReturn

import yaml

MAX_JSON = 64 * 2**20
"""Bytes of a JSON document: a record of a million images has some 10 MB."""
MAX_YAML = 512 * 2**10
"""Bytes of a YAML document; they are written by hand."""
MAX_NODES = 50_000
"""Values of a YAML document, each alias counted with all that it stands for."""
MAX_DEPTH = 60
"""Lists and objects within one another."""
MAX_BITS = 256
"""Binary digits of a whole number."""

_DIGITS = 80
_CONSTRUCTION = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""What PyYAML's constructors raise on a scalar that is not of the type that its tag says."""


def parse_json(text: str | bytes, *, max_bits: int = MAX_BITS) -> Any:
    """The values of a JSON document.

    Raises ``ValueError`` for what is no JSON or not UTF-8, for NaN and numbers beyond float64, for a key that comes
    twice, a whole number of more than ``max_bits`` binary digits, half a surrogate pair, more than :data:`MAX_DEPTH`
    levels, and more than :data:`MAX_JSON` bytes.
    """
    if len(text) > MAX_JSON:
        raise ValueError(f"it has more than {MAX_JSON:,} bytes")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_int=_whole_number, object_pairs_hook=_each_key_once
        )
    except RecursionError as error:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep") from error
    _check(value, max_bits)
    return value


def parse_yaml(text: str) -> Any:
    """The values of one YAML document, by the safe loader; a date is the text that it was written as.

    Raises ``ValueError`` for what is no YAML, names a type beyond the plain ones, or is beyond the bounds of
    :func:`parse_json`; for an alias of something that holds it, and for aliases that stand for more than
    :data:`MAX_NODES` values together.
    """
    if len(text) > MAX_YAML:
        raise ValueError(f"it has more than {MAX_YAML:,} characters")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, set())
        value = loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    except _CONSTRUCTION as error:
        raise ValueError(f"a value is not of its type: {str(error) or type(error).__name__}") from error
    _check(value, MAX_BITS)
    return value


class _Loader(yaml.SafeLoader):
    """The safe loader with bounded depth, and without mappings that hold a key twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {MAX_DEPTH} deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[Hashable] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise yaml.YAMLError(f"the key {key.value!r} comes twice, again in line {key.start_mark.line + 1}")
            seen.add((key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key))
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _count(node: yaml.Node, sizes: dict[int, int], open_nodes: set[int]) -> int:
    """Values below ``node`` with every alias counted in full; each node is visited once."""
    if id(node) in sizes:
        return sizes[id(node)]
    if id(node) in open_nodes:
        raise yaml.YAMLError(f"an alias stands for something that holds it (line {node.start_mark.line + 1})")
    size = 1
    if isinstance(node, yaml.CollectionNode):
        open_nodes.add(id(node))
        for item in node.value:
            for part in item if isinstance(item, tuple) else (item,):
                size += _count(part, sizes, open_nodes)
        open_nodes.discard(id(node))
    if size > MAX_NODES:
        raise yaml.YAMLError(f"its aliases stand for more than {MAX_NODES:,} values")
    sizes[id(node)] = size
    return size


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _whole_number(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"a whole number has {len(digits)} digits")
    return int(digits)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} comes twice")
    return found


def _check(document: Any, max_bits: int) -> None:
    """Raise ``ValueError`` for depth, numbers and texts that no document of ours can hold."""
    level, depth = [document], 0
    while level:
        inner: list[Any] = []
        for value in level:
            if not isinstance(value, dict | list):
                _check_scalar(value, max_bits)
                continue
            if depth == MAX_DEPTH:
                raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
            inner.extend(value)
            inner.extend(value.values() if isinstance(value, dict) else ())
        level, depth = inner, depth + 1


def _check_scalar(value: Any, max_bits: int) -> None:
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError(f"it holds a {type(value).__name__}, which is no plain value")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it holds a number that is not finite")
    if isinstance(value, int) and value.bit_length() > max_bits:
        raise ValueError(f"it holds a whole number of {value.bit_length()} binary digits")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError("it holds half a surrogate pair, which is no text") from error
