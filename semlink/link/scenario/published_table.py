"""What a scenario may say about a table: which frames count, how they are averaged, and what was published."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from semlink.spec import Spec

FrameKind = Annotated[str, Field(min_length=1)]


def _as_names(value: object) -> object:
    return [value] if isinstance(value, str) else value


class PublishedSpec(Spec):
    """One number of a paper, and the cell of our table that it belongs to."""

    scheme: str = Field(description="the scheme it stands beside")
    rate: float | None = Field(None, description="its operating point; default: any")
    clip: str = Field("mean", description="a clip's name (`akiyo*`), or `mean` for the mean over clips")
    frames: FrameKind = Field("all", description="`all`, or one kind such as `key` or `non-key`")
    psnr_db: float | None = Field(None, description="as published")
    ssim: float | None = Field(None, description="as published")
    where: str = Field("", description="reference and table")
    because: str = Field("", description="why ours may differ")


class TableSpec(Spec):
    """A table of clips against schemes, beside `curves.csv`; published numbers stand beside ours."""

    frames: PositiveInt | None = Field(None, description="only this many first frames count; default: all")
    mean: Literal["clip", "frames"] = Field(
        "clip", description="PSNR of a clip: from its mean squared error, or the mean of its frames' PSNR"
    )
    oracle: Annotated[list[str], BeforeValidator(_as_names, json_schema_input_type=str | list[str])] = Field(
        [], description="schemes that also get a line with the best of their rates for each clip, chosen on the truth"
    )
    where: str = Field("", description="reference and table of published numbers that name none themselves")
    because: str = Field("", description="why ours may differ, where a published number says nothing itself")
    published: list[PublishedSpec] = Field([], description="numbers of a paper")
