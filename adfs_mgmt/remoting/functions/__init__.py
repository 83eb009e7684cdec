"""PowerShell of our own: what Windows has no cmdlet for. Defined in the role file, run by the host's virtual account.

One file for each function's body, and some for parts that several have (`#include NAME`): a function of a role file cannot
call another one. The functions use .NET only, so that no cmdlet has to be made visible for them. Each takes typed parameters
and checks what it is given: a key is granted to AD FS's service and to nobody else.
"""

from __future__ import annotations

import re
import textwrap
from importlib.resources import files

_NAMES = (
    "Get-IsthmusKeyAccess",
    "Import-IsthmusCertificate",
    "Grant-IsthmusKeyAccess",
    "Remove-IsthmusCertificate",
    "Get-IsthmusServicePrincipal",
)
_INCLUDE = re.compile(r"^( *)#include (\S+)\n", re.MULTILINE)


def _text(name: str) -> str:
    return files(__name__).joinpath(f"{name}.ps1").read_text(encoding="utf-8")


def _body(name: str) -> str:
    """With what it includes, indented as the role file has it."""
    whole = _INCLUDE.sub(lambda found: textwrap.indent(_text(found[2]), found[1]), _text(name))
    return "\n" + textwrap.indent(whole, " " * 8)


FUNCTIONS = {name: _body(name) for name in _NAMES}
"""Text of each function's body, by name."""
