"""The options that bound what a stranger's page or file may cost: ``--max-…`` and ``--min-rate``, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

from mediamirror.cli.values import byte_size

LIMITS = "Limits"


def _size(name: str, shown: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        name, parser=byte_size, metavar="SIZE", show_default=shown, rich_help_panel=LIMITS, help=text
    )
    return option


def _number(name: str, text: str, least: int = 1) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, metavar="N", min=least, rich_help_panel=LIMITS, help=text)
    return option


MaxSize = Annotated[int, _size("--max-size", "256M", "Largest body accepted, and what it may inflate to.")]
MaxHeaderSize = Annotated[int, _size("--max-header-size", "64K", "Most bytes of one answer's headers.")]
MinRate = Annotated[int, _number("--min-rate", "Give up below N bytes a second, over 30 s; 0 never.", 0)]
MaxRedirects = Annotated[int, _number("--max-redirects", "Follow N redirects from one URL.", 0)]
MaxDocumentSize = Annotated[
    int, _size("--max-document-size", "256M", "Largest document read, and what it may inflate to.")
]
MaxDocuments = Annotated[int, _number("--max-documents", "Stop reading after N documents.")]
MaxSets = Annotated[int, _number("--max-sets", "Take N image sets of one document.")]
MaxCandidates = Annotated[int, _number("--max-candidates", "Take N candidates of one image set.")]
MaxPixels = Annotated[int, _number("--max-pixels", "Decode images of up to N pixels.")]
MaxFrames = Annotated[int, _number("--max-frames", "Decode animations of up to N frames.")]
MaxTotalPixels = Annotated[int, _number("--max-total-pixels", "Decode up to N pixels in all frames of an animation.")]
MaxDecodeMemory = Annotated[int, _size("--max-decode-memory", "160M", "Decode images that take up to SIZE of memory.")]
