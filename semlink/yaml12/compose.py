"""From text to a tree of nodes that know their lines, within limits that keep any input quick.

Nodes are built from the parser's events without recursion. An alias counts
with all that stands below its anchor, so that a few lines which would unfold
to millions of values are refused where they pass the limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from semlink.yaml12.scalars import BOOL, FLOAT, INT, MAP, NULL, PREFIX, SEQ, STR, plain_tag, scalar, shortened

MOST_BYTES = 1_000_000
MOST_NODES = 50_000
MOST_LEVELS = 64
_SCALARS = (STR, NULL, BOOL, INT, FLOAT)
# The parser written in C where PyYAML brings it: the same events, thirty times as fast.
_PARSER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class YamlFault(Exception):
    """What is wrong, and in which line (1 is the first)."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line, self.problem = line, problem


@dataclass(slots=True)
class _Open:
    """A sequence, a mapping or the document that is not closed yet; nodes and levels inside, itself included."""

    node: yaml.CollectionNode
    line: int = 1
    anchor: str | None = None
    key: yaml.ScalarNode | None = None
    lines: dict[object, int] = field(default_factory=dict)
    nodes: int = 1
    levels: int = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: yaml.Node
    nodes: int
    levels: int


def compose(text: str) -> yaml.Node | None:
    """The node tree of the one document in `text`; None if there is nothing.

    Keys are text or whole numbers, none twice; `<<: *anchor` takes over the keys of another mapping that are not
    there. An alias gives the node of its anchor itself.

    Raises:
        YamlFault: not valid YAML, more than one document, an unknown tag, or more than a limit allows.
    """
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise YamlFault(1, f"too long; allowed: at most {MOST_BYTES // 1_000_000} MB")
    odd = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if odd is not None:
        raise YamlFault(_line_of(text, odd.start()), f"not valid YAML: character {odd.group()!r}")
    if text.count("\n%") > 10:
        raise YamlFault(1, "not valid YAML: more than ten directives")
    return _Composer().compose(text)


class _Composer:
    """Open collections, the outermost first, and what was anchored."""

    def __init__(self) -> None:
        self.open = [_Open(yaml.SequenceNode(SEQ, []))]
        self.anchors: dict[str, _Anchored | None] = {}

    def compose(self, text: str) -> yaml.Node | None:
        try:
            for event in yaml.parse(text, Loader=_PARSER):
                self.take(event)
        except yaml.MarkedYAMLError as fault:
            mark = fault.problem_mark or fault.context_mark
            line = mark.line + 1 if mark else 1
            raise YamlFault(line, f"not valid YAML: {fault.problem or fault.context}") from fault
        except (yaml.YAMLError, ValueError) as fault:
            raise YamlFault(1, f"not valid YAML: {' '.join(str(fault).split())}") from fault
        documents = self.open[0].node.value
        return documents[0] if documents else None

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            self.alias(event.anchor, line)
        elif isinstance(event, yaml.ScalarEvent):
            node = yaml.ScalarNode(_tag(event, line), event.value, event.start_mark, event.end_mark)
            self.note(event.anchor, _Anchored(node, 1, 1))
            self.put(node, line, 1, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            self.start(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.end()
        elif isinstance(event, yaml.DocumentStartEvent) and self.open[0].node.value:
            raise YamlFault(line, "not valid YAML: a second document begins; one is allowed")

    def start(self, event: yaml.CollectionStartEvent, line: int) -> None:
        if len(self.open) > MOST_LEVELS:
            raise YamlFault(line, f"nested more than {MOST_LEVELS} levels deep")
        kind = yaml.MappingNode if isinstance(event, yaml.MappingStartEvent) else yaml.SequenceNode
        node = kind(_tag(event, line), [], event.start_mark, event.end_mark)
        self.note(event.anchor, None)
        self.open.append(_Open(node, line, event.anchor))

    def end(self) -> None:
        done = self.open.pop()
        if isinstance(done.node, yaml.MappingNode):
            _merge(done.node)
        self.note(done.anchor, _Anchored(done.node, done.nodes, done.levels))
        self.put(done.node, done.line, done.nodes, done.levels)

    def alias(self, name: str, line: int) -> None:
        if name not in self.anchors:
            raise YamlFault(line, f"alias *{shortened(name)} has no anchor before it")
        found = self.anchors[name]
        if found is None:
            raise YamlFault(line, f"alias *{shortened(name)} stands inside what it names, and would never end")
        self.put(found.node, line, found.nodes, found.levels)

    def note(self, anchor: str | None, found: _Anchored | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = found

    def put(self, node: yaml.Node, line: int, nodes: int, levels: int) -> None:
        """A finished node goes to the collection that it stands in."""
        parent = self.open[-1]
        parent.nodes += nodes
        parent.levels = max(parent.levels, levels + 1)
        if parent.nodes > MOST_NODES:
            raise YamlFault(line, f"more than {MOST_NODES:,} values, aliases written out; a scenario needs fewer")
        if len(self.open) + levels > MOST_LEVELS + 2:
            raise YamlFault(line, f"nested more than {MOST_LEVELS} levels deep, aliases written out")
        if isinstance(parent.node, yaml.SequenceNode):
            parent.node.value.append(node)
        elif parent.key is None:
            parent.key = _key(node, line, parent.lines)
        else:
            parent.node.value.append((parent.key, node))
            parent.key = None


def _key(node: yaml.Node, line: int, lines: dict[object, int]) -> yaml.ScalarNode:
    """The node, if it can be a key that is not there yet."""
    if not isinstance(node, yaml.ScalarNode) or node.tag not in (STR, INT):
        got = shortened(repr(node.value)) if isinstance(node, yaml.ScalarNode) else "a list or a mapping"
        raise YamlFault(line, f"got {got} as a key; a key is a word or a whole number, others in quotes")
    value = _scalar(node)
    if value in lines:
        raise YamlFault(line, f"{shortened(str(value))}: stands twice, first in line {lines[value]}")
    lines[value] = line
    return node


def _merge(node: yaml.MappingNode) -> None:
    """Put the keys of mappings under `<<` in its place, where the mapping has none of the same name itself."""
    here = {key.value for key, _ in node.value}
    if "<<" not in here:
        return
    pairs = []
    for key, value in node.value:
        if key.value != "<<":
            pairs.append((key, value))
            continue
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if not isinstance(source, yaml.MappingNode):
                raise YamlFault(key.start_mark.line + 1, "<<: takes the keys of a mapping, or of a list of mappings")
            pairs += [(k, v) for k, v in source.value if k.value not in here]
            here |= {k.value for k, _ in source.value}
    node.value = pairs


def _tag(event: yaml.NodeEvent, line: int) -> str:
    """The tag of a node: as written, or by the form of a plain scalar."""
    allowed: tuple[str, ...] = _SCALARS
    if isinstance(event, yaml.CollectionStartEvent):
        allowed = (MAP,) if isinstance(event, yaml.MappingStartEvent) else (SEQ,)
    elif event.tag is None and event.implicit[0]:
        return plain_tag(event.value)
    tag = allowed[0] if event.tag in (None, "!") else str(event.tag)
    if tag not in allowed:
        said = ", ".join(f"!!{name.removeprefix(PREFIX)}" for name in allowed)
        raise YamlFault(line, f"tag {shortened(tag).replace(PREFIX, '!!')} means nothing here; allowed: {said}")
    return tag


def construct(node: yaml.Node) -> object:
    """The value of a node: str, int, float, bool, None, list or dict; what an alias names is copied.

    Raises:
        YamlFault: a scalar that is not what its tag says.
    """
    if isinstance(node, yaml.MappingNode):
        return {_scalar(key): construct(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [construct(value) for value in node.value]
    return _scalar(node)


def lines_of(node: yaml.Node) -> Iterator[tuple[tuple[int | str, ...], int]]:
    """Every key of a mapping below `node` by its path, with its line."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (key.value,), key.start_mark.line + 1
            yield from (((key.value, *path), line) for path, line in lines_of(value))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (number,), value.start_mark.line + 1
            yield from (((number, *path), line) for path, line in lines_of(value))


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    try:
        return scalar(node)
    except ValueError as fault:
        raise YamlFault(node.start_mark.line + 1, str(fault)) from fault


def _line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
