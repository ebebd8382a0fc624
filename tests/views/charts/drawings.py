"""Reading a drawing back."""

from __future__ import annotations

from xml.etree import ElementTree

Tree = ElementTree.Element


def read(markup: str) -> Tree:
    """The drawing as a tree; it must be XML, and is a part of a page."""
    return ElementTree.fromstring(f"<body>{markup}</body>")


def looking(tree: Tree, look: str) -> list[Tree]:
    """The elements that have all of these classes, in the order of drawing."""
    wanted = set(look.split())
    return [found for found in tree.iter() if wanted <= set(found.get("class", "").split())]


def words(tree: Tree) -> list[str]:
    """The texts of the drawing."""
    return ["".join(found.itertext()) for found in tree.iter("text")]


def places(found: Tree) -> list[tuple[float, float]]:
    """The corners of a polyline or a polygon."""
    x_and_y = [pair.split(",") for pair in found.get("points", "").split()]
    return [(float(x), float(y)) for x, y in x_and_y]
