"""``mediamirror catalog``: ask and mend the catalog. One file per subcommand."""

from __future__ import annotations

import typer

from mediamirror.cli.catalog import export, gc, ls, rebuild, show
from mediamirror.cli.catalog import import_ as take_in

app = typer.Typer(
    name="catalog",
    help="Ask and mend the catalog: what came from where, what its pixels are, and where it lies now.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command(name="ls")(ls.command)
app.command(name="show")(show.command)
app.command(name="export")(export.command)
app.command(name="gc")(gc.command)
app.command(name="rebuild")(rebuild.command)
app.command(name="import")(take_in.command)
