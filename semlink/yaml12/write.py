"""Values as YAML that readers of version 1.2 and of 1.1 take for the same values."""

from __future__ import annotations

import yaml

from semlink.yaml12.scalars import STR, plain_tag


class _Dumper(yaml.SafeDumper):
    """Puts in quotes what one of the two versions takes for something else than text."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        """Text; quoted where version 1.2 reads a number, a boolean or nothing (1.1 is seen to by PyYAML)."""
        if not text.replace("\n", "").isprintable():
            return self.represent_scalar(STR, text, style='"')
        return self.represent_scalar(STR, text, style=None if plain_tag(text) == STR else "'")

    def ignore_aliases(self, data: object) -> bool:
        """Values that stand twice are written twice."""
        return True


_Dumper.add_representer(str, _Dumper.represent_str)


def write_yaml(value: object, *, width: int = 100) -> str:
    """`value` (of dicts, lists, texts, numbers) as YAML, keys in their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width)
