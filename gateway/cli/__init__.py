"""The command line: thin commands over the other packages. Nothing heavy is imported before a command needs it."""


def main() -> None:
    """The `codex-gateway` command."""
    import os

    from gateway.cli.commands import app
    from gateway.cli.context import Context

    app(obj=Context(os.environ), prog_name="codex-gateway")
