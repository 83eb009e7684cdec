"""PowerShell of our own: what Windows has no cmdlet for. Defined in the role file, run by the host's virtual account.

The functions (`functions/*.ps1`) use .NET only, so that no cmdlet has to be made visible for them. Each takes typed
parameters and checks what it is given: a key is granted to AD FS's service and to nobody else. A line `# include NAME`
stands for the text of `_NAME.ps1`, which several of them have.
"""

from __future__ import annotations

import re
import textwrap
from importlib.resources import files

from adfs_mgmt.remoting.catalogue import CATALOGUE

_DIRECTORY = files("adfs_mgmt.remoting") / "functions"
_INCLUDE = re.compile(r"^( *)# include (\w+)\n", re.MULTILINE)
_INDENT = " " * 8


def _body(name: str) -> str:
    """As it stands inside the braces of a role file's script block."""
    return "\n" + textwrap.indent(_text(name), _INDENT)


def _text(name: str) -> str:
    text = (_DIRECTORY / f"{name}.ps1").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda line: textwrap.indent(_text(f"_{line[2]}"), line[1]), text)


FUNCTIONS = {cmdlet.name: _body(cmdlet.name) for cmdlet in CATALOGUE.values() if not cmdlet.module}
"""Text of each function's body, by name."""
