"""`sluicegate keys`: the keys that seal stored objects."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from collector.cli.exits import CommandError
from collector.cli.options import configured

if TYPE_CHECKING:
    from exporters.keys import AnyKey

app = typer.Typer(
    name="keys",
    help="List, make and rotate the keys that seal stored objects.",
    epilog="""\
Examples:

    $ sluicegate keys list --config gate.yaml
    $ sluicegate keys new prod.key              # for objects in a bucket
    $ sluicegate keys rotate prod.key

The first key of a file seals, every key in it opens: rotating puts a new one
in front, and what was stored before stays readable. A running gate takes it
for the next segment. Once all objects of an old key are gone (the longest
retention class), its line may be removed.
""",
    no_args_is_help=True,
)

KeyFile: TypeAlias = Annotated[Path, typer.Argument(metavar="FILE", help="The key file.")]


@app.command(
    "list",
    epilog="""\
Examples:

    $ sluicegate keys list                      # of the embedded default
    $ sluicegate keys list --config gate.yaml
    $ sluicegate keys list prod.key
""",
)
def list_(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="One key file.")] = None,
    config: Annotated[Path | None, typer.Option(help="The gate's configuration file: all exporters that seal.")] = None,
) -> None:
    """List the ids of the keys, which one seals, and where they are; never the keys themselves."""
    if file and config:
        raise typer.BadParameter("give a key file or --config, not both")
    found = [("", str(file), _load(file))] if file else _configured(config)
    rows = [("key", "use", "exporter", "where")]
    for exporter, where, keys in found:
        rows += [(key.id, "opens" if number else "seals, opens", exporter, where) for number, key in enumerate(keys)]
    key, use, name = (max(len(row[column]) for row in rows) for column in range(3))
    for row in rows:  # whole, also where a terminal is narrow: ids are there to be copied
        print(f"{row[0]:<{key}}  {row[1]:<{use}}  {row[2]:<{name}}  {row[3]}")


@app.command(
    epilog="""\
Examples:

    $ sluicegate keys new prod.key && sluicegate keys list prod.key
"""
)
def new(file: KeyFile) -> None:
    """Make a key file with one new key, readable by its owner alone. Keep a copy in a safe place."""
    from exporters.keys import KeyFileError, KeyFileThere, make_key_file

    try:
        key = make_key_file(file)
    except KeyFileThere as error:
        raise CommandError(f"{error}; `sluicegate keys rotate` puts a new key into it") from None
    except KeyFileError as error:
        raise CommandError(str(error)) from None
    print(f"{file}: key {key.id}; keep a copy in a safe place: without it nothing can be read")


@app.command(
    epilog="""\
Examples:

    $ sluicegate keys rotate prod.key
"""
)
def rotate(file: KeyFile) -> None:
    """Put a new key in front: it seals from the next segment on. Those behind it go on opening what they sealed."""
    from exporters.keys import KeyFileError, rotate_key_file

    try:
        key = rotate_key_file(file)
    except KeyFileError as error:
        raise CommandError(str(error)) from None
    print(f"{file}: seals with key {key.id} from the next segment on; keep a copy of the file in a safe place")


def _load(file: Path) -> "tuple[AnyKey, ...]":
    from exporters.keys import KeyFileError, load_keys

    try:
        return load_keys(file)
    except KeyFileError as error:
        raise CommandError(str(error)) from None


def _configured(path: Path | None) -> "list[tuple[str, str, tuple[AnyKey, ...]]]":
    """Of each exporter that seals: its name, where its keys are, and the keys."""
    from exporters.keys import KmsKey
    from exporters.local import LocalOptions
    from exporters.objects import default_key_file
    from exporters.s3_options import S3Options

    config = configured(path)
    found: list[tuple[str, str, tuple[AnyKey, ...]]] = []
    for name, options in config.exporters.items():
        if not isinstance(options, LocalOptions | S3Options):
            continue
        file = options.key_file
        if options.seal_kms_key:
            found.append((name, "AWS KMS", (KmsKey(options.seal_kms_key),)))
        elif isinstance(options, LocalOptions) and options.seal:
            file = file or default_key_file(options.path.absolute())
        if file:
            found.append((name, str(file), _load(file)))
    return found
