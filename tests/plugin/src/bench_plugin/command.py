"""A subcommand."""

import typer

app = typer.Typer(help="Greets.")


@app.command()
def world() -> None:
    """Say hello."""
    typer.echo("hello from a plugin")


@app.command()
def moon() -> None:
    """Say good night."""
    typer.echo("good night from a plugin")
