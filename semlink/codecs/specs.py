"""What a scenario may say about learned codecs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from semlink.spec import Spec


class TaskAwareSpec(Spec):
    """Learned compression of a sensor's readings for the sake of the frames; `rates` and the budget turn its q."""

    kind: Literal["task-aware"]
    weights: str = Field(description="by name, see `semlink weights`")
    slices: Annotated[int, Field(ge=1, le=16)] | None = Field(
        None, description="bands of rows that decode alone; default: one to four, more at finer q"
    )
    thrift: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="squared error, in quantiser steps, that saving a bit is worth; 0 rounds to the nearest"
    )

    def build(self) -> Any:
        from semlink.codecs.task_aware.codec import TaskAwareCodec

        return TaskAwareCodec(self.weights, self.slices, self.thrift)


class CompressAISpec(Spec):
    """An image model of CompressAI, each frame by itself (extra `compressai`); `rates` are its qualities."""

    kind: Literal["compressai"]
    model: str = Field(description="CompressAI's name, such as bmshj2018-hyperprior or mbt2018-mean")
    quality: Annotated[int, Field(ge=1, le=8)] | None = Field(None, description="default: the best that fits")
    checkpoint: str | None = Field(None, description="file of a state dict; {quality} in it stands for the quality")
    pretrained: bool = Field(False, description="let CompressAI fetch its published weights instead")
    every: Annotated[int, Field(ge=1, le=256)] = Field(1, description="code one frame in so many, repeat it between")

    def build(self) -> Any:
        from semlink.codecs.video.compressai import CompressAICodec

        return CompressAICodec(**self.model_dump(exclude={"kind"}))


LEARNED_CODECS = (TaskAwareSpec, CompressAISpec)
