"""What keys may stand where: for editors (JSON Schema), `semlink list`, and hints."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import DictSchema, FloatSchema, IntSchema, ModelSchema, StringSchema, TaggedUnionSchema

from semlink.codecs.specs import CODECS
from semlink.files import JsonDict
from semlink.link.scenario.scenario import Scenario
from semlink.link.schemes.registry import SCHEMES
from semlink.phy.specs.channels import CHANNELS
from semlink.phy.specs.codings import CODINGS
from semlink.phy.specs.waveforms import WAVEFORMS
from semlink.sensing.specs.registry import RECONSTRUCTIONS, SENSORS
from semlink.sensing.specs.sources import SOURCES
from semlink.spec import Spec, kinds_of
from semlink.yaml12.fields import MOST_WHOLE, PlainValues
from semlink.yaml12.words import STRANGE

CATALOGUE: dict[str, tuple[type[Spec], ...]] = {
    "source": SOURCES,
    "sensor": SENSORS,
    "reconstruction": RECONSTRUCTIONS,
    "channel": CHANNELS,
    "waveform": WAVEFORMS,
    "scheme": SCHEMES,
    "codec": CODECS,
    "coding": CODINGS,
}


class _ForFiles(GenerateJsonSchema):
    """Says of blocks and of numbers what the loader asks for and JSON Schema does not say by itself."""

    def tagged_union_schema(self, schema: TaggedUnionSchema) -> JsonSchemaValue:
        """A block, told by its `kind`, which is always written."""
        return {"type": "object", "required": ["kind"], **super().tagged_union_schema(schema)}

    def float_schema(self, schema: FloatSchema) -> JsonSchemaValue:
        """A finite number; what is not one (nan) is below every limit and above it, so it meets all of them."""
        most = sys.float_info.max
        beyond = [{"minimum": 1, "maximum": 0}, {"exclusiveMinimum": most}, {"exclusiveMaximum": -most}]
        return super().float_schema(schema) | {"not": {"anyOf": beyond}}

    def int_schema(self, schema: IntSchema) -> JsonSchemaValue:
        """A whole number that a file can hold."""
        beyond = [{"exclusiveMinimum": MOST_WHOLE}, {"exclusiveMaximum": -MOST_WHOLE}]
        return super().int_schema(schema) | {"not": {"anyOf": beyond}}

    def str_schema(self, schema: StringSchema) -> JsonSchemaValue:
        """A text that can be shown."""
        return super().str_schema(schema) | {"not": {"pattern": STRANGE}}

    def dict_schema(self, schema: DictSchema) -> JsonSchemaValue:
        """Options of a user's own: their names are his."""
        made = super().dict_schema(schema)
        made.pop("propertyNames", None)
        return made

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        """A model; the text of some options may have lines."""
        made, model = super().model_schema(schema), schema["cls"]
        for name in model.prose if issubclass(model, PlainValues) else ():
            made["properties"][name].pop("not", None)
        return made


def json_schema() -> JsonDict:
    """The JSON Schema of a scenario file."""
    schema = Scenario.model_json_schema(schema_generator=_ForFiles)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def spec_schema(spec: type[Spec]) -> JsonDict:
    """The JSON Schema of one block."""
    return spec.model_json_schema(schema_generator=_ForFiles)


def fields_at(loc: tuple[int | str, ...]) -> list[str]:
    """The keys that the model at a validation location has; empty if unknown."""
    return list(_model_at(loc).model_fields)


def description_at(loc: tuple[int | str, ...]) -> str:
    """What the key at a validation location is for; empty if unknown."""
    for place in range(len(loc) - 1, -1, -1):
        field = _model_at(loc[:place]).model_fields.get(str(loc[place]))
        if field is not None:
            return field.description or ""
    return ""


def _model_at(loc: tuple[int | str, ...]) -> Any:
    by_kind = {kind: spec for specs in CATALOGUE.values() for spec in specs for kind in kinds_of(spec)}
    model: Any = Scenario
    choices: list[Any] = []
    for part in loc:
        kin = [choice for choice in choices if part in _kinds(choice)]
        if kin:
            model = kin[0]
        elif part in by_kind:
            model = by_kind[str(part)]
        elif part in _fields(model):
            annotation = model.model_fields[part].annotation
            choices = [choice for choice in (annotation, *get_args(annotation)) if _fields(choice)]
            model = next(iter(choices), model)
    return model


def _fields(model: object) -> Mapping[str, FieldInfo]:
    """The keys of a model, none of anything else."""
    return model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}


def _kinds(spec: object) -> tuple[str, ...]:
    """The kinds of a spec, none of anything else."""
    return kinds_of(spec) if isinstance(spec, type) and issubclass(spec, Spec) and "kind" in spec.model_fields else ()
