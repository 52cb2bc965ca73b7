"""What specs stand for: their options, and what is in the code, the weights and the files that these name.

Whatever is kept - points, coded clips - is kept under this and never under a `repr`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from semlink.files import Json, JsonDict
from semlink.plugins.files import fingerprint, source_of
from semlink.plugins.live import live_source
from semlink.plugins.named_files import content_digest, file_digests, files_in, files_of, homes, named_in_options
from semlink.plugins.source_text import SourceText, is_installed
from semlink.plugins.specs import PluginSpec
from semlink.spec import BuildContext, Spec
from semlink.weights.cards import RANDOM, find_weights, places

__all__ = ["chosen", "contents", "files_of_metric", "specs_inside", "text_files", "users_files"]

WEIGHTS = "weights"


def chosen(spec: BaseModel, *, without: Collection[str] = ()) -> JsonDict:
    """The options of a spec that are not at their default, as plain values; `kind` is always told."""
    told = {}
    for name, field in type(spec).model_fields.items():
        value = getattr(spec, name)
        is_default = not field.is_required() and value == field.get_default(call_default_factory=True)
        if name not in without and not field.exclude and (name == "kind" or not is_default):
            told[name] = _plain(value)
    extra = {name: _plain(value) for name, value in (spec.model_extra or {}).items() if name not in without}
    return told | extra


def contents(
    specs: Mapping[str, BaseModel], folder: Path | None, declared: Iterable[tuple[str, Path]] = ()
) -> JsonDict:
    """What is in the code, the weights and the other files of specs and of those inside them.

    Args:
        folder: where a user's files are looked up first.
        declared: further files, by what they are called.
    """
    inside = list(specs_inside(specs))
    plugins = [spec for _, spec in inside if isinstance(spec, PluginSpec)]
    ours = [spec for _, spec in inside if isinstance(spec, Spec)]
    named = list(_named(plugins, ours, folder))
    code = [_code(spec, folder) for spec in plugins]
    code += [fingerprint(kind, folder=folder) for spec in ours for kind in spec.users_code]
    files = file_digests([*named, *declared])
    return {"code": code, "weights": dict(_weights(ours, folder))} | ({"files": files} if files else {})


def users_files(
    specs: Mapping[str, BaseModel], folder: Path | None, declared: Iterable[tuple[str, Path]] = ()
) -> tuple[set[Path], set[str]]:
    """Files that specs rest on and that no installation brings (texts with what they import, named files, weights), and
    the installed packages that these texts import, with versions.

    Arguments as of `contents`.
    """
    inside = [spec for _, spec in specs_inside(specs)]
    plugins = [spec for spec in inside if isinstance(spec, PluginSpec)]
    ours = [spec for spec in inside if isinstance(spec, Spec)]
    texts = [source_of(spec.kind, spec.interface, folder) for spec in plugins if spec.live is None]
    texts += [source_of(kind, folder=folder) for spec in ours for kind in spec.users_code]
    named = [path for _, path in (*_named(plugins, ours, folder), *declared)]
    return _of_a_user(texts, [*named, *_files_of_weights(ours, folder)])


def files_of_metric(kind: str, folder: Path | None) -> tuple[set[Path], set[str]]:
    """The same of a user's metric."""
    text = source_of(kind, "metric", folder)
    return _of_a_user([text], [path for _, path in files_of(text, (), folder)])


def _of_a_user(texts: Iterable[SourceText | None], named: Iterable[Path]) -> tuple[set[Path], set[str]]:
    found = [text for text in texts if text is not None]
    paths = {path for text in found for path in text.files.values()} | set(named)
    own = {path.resolve() for one in paths for path in files_in(one) if not is_installed(path.resolve())}
    return own, {package for text in found for package in text.packages}


def text_files(kind: str, folder: Path | None) -> dict[str, list[str]]:
    """Digests of the files that strings in the text of a user's class or function name."""
    return file_digests(files_of(source_of(kind, "metric", folder), (), folder))


def specs_inside(specs: Json) -> Iterator[tuple[str, BaseModel]]:
    """All specs with those inside them, by place."""
    for place, spec in specs.items():
        if isinstance(spec, BaseModel):
            yield place, spec
            yield from specs_inside({f"{place}.{name}": value for name, value in dict(spec).items()})
        elif isinstance(spec, list | tuple):
            yield from specs_inside({f"{place}.{number}": part for number, part in enumerate(spec)})


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return chosen(value)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return to_jsonable_python(value)


def _code(spec: PluginSpec, folder: Path | None) -> str:
    """Of a live object the kind holds the digest."""
    return "" if spec.live is not None else fingerprint(spec.kind, interface=spec.interface, folder=folder)


def _files_of_plugin(spec: PluginSpec, folder: Path | None) -> Iterator[tuple[str, Path]]:
    text = live_source(spec.live) if spec.live is not None else source_of(spec.kind, spec.interface, folder)
    yield from files_of(text, spec.options(), folder)
    shipped = next((path for path in places(str(spec.options().get(WEIGHTS))) if path.is_file()), None)
    if shipped is not None:
        yield shipped.stem, shipped


def _files_of_ours(spec: Spec, folder: Path | None) -> Iterator[tuple[str, Path]]:
    for name in spec.names_files:
        yield from named_in_options(dict(spec)[name], homes(folder))


def _named(plugins: Iterable[PluginSpec], ours: Iterable[Spec], folder: Path | None) -> Iterator[tuple[str, Path]]:
    for plugin in plugins:
        yield from _files_of_plugin(plugin, folder)
    for spec in ours:
        yield from _files_of_ours(spec, folder)
        for kind in spec.users_code:
            yield from files_of(source_of(kind, folder=folder), (), folder)


def _weights(specs: Iterable[Spec], folder: Path | None) -> Iterator[tuple[str, str]]:
    """Names of weights, each with the SHA-256 of its file; untrained ones (`random`) have none."""
    context = BuildContext(folder=folder)
    for spec in specs:
        name = dict(spec).get(WEIGHTS)
        if isinstance(name, str) and name != RANDOM:
            yield name, content_digest(find_weights(context.weights(name)))


def _files_of_weights(specs: Iterable[Spec], folder: Path | None) -> Iterator[Path]:
    context = BuildContext(folder=folder)
    for spec in specs:
        name = dict(spec).get(WEIGHTS)
        if isinstance(name, str) and name != RANDOM:
            yield from (path for path in places(context.weights(name)) if path.is_file())
            card = Path(context.weights(name)).with_suffix(".json")
            yield from ([card] if card.is_file() else [])
