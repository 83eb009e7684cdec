"""`isthmus demo`."""

from __future__ import annotations

import click


@click.command("demo")
@click.option("--once", is_flag=True, help="Sign everybody in, print a table, clean up, and end.")
def command(once: bool) -> None:
    """A throwaway Active Directory, a relay and two agents on this machine. Needs root and Samba's packages."""
    from isthmus import logging
    from isthmus.demo.main import main

    logging.set_up("warning", "text")
    raise SystemExit(main(once=once))
