"""`python -m isthmus.reference DOCS_DIR [--check]`, which `make docs` runs."""

from __future__ import annotations

from pathlib import Path

import click

from isthmus.reference import broken_links, documents, pages, stale, stale_mentions, write


@click.command()
@click.argument("docs", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--check", is_flag=True, help="Write nothing; fail where a page is not what the code says.")
def main(docs: Path, check: bool) -> None:
    """Write DOCS/reference from the code; check every link of the documentation, and every file, test and module it names.

    Exit code 1 names what is wrong.
    """
    folder, wanted = docs / "reference", pages()
    problems = (
        [f"{folder / name}: not what the code says; run `make docs`" for name in stale(folder, wanted)] if check else []
    )
    if not check:
        for name in write(folder, wanted):
            click.echo(f"{folder / name}: written")
    files, root = documents(docs), docs.parent
    problems += [str(found) for found in (*broken_links(files, root=root), *stale_mentions(files, root=root))]
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
