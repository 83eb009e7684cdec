"""Settings files and the secrets that they name: how TOML becomes the packages' frozen models.

What belongs here: reading, what is refused and where the refusal points, the checks that models name beside their types, the
example file, and the one way in which a secret is read from a file. What does not: the models themselves, which lie beside
the code that they configure, and whether the machine has what they name.
"""

from settings.checks import (
    Bounds,
    OrEmpty,
    Pattern,
    distinct,
    host_name,
    is_readable,
    link,
    listen_address,
    network,
    not_empty,
    origin,
    proxy_address,
    readable,
    several_lines,
    shown,
    split_address,
    web_address,
)
from settings.errors import Problem, SettingsFileError, Unfit, UnusableFile
from settings.examples import example, header, toml_value
from settings.fields import InFile, Lines, SecretFile, Setting, Shape, docs_of, settings_of
from settings.files import read_regular
from settings.positions import Key, dotted, lines_of, places_of
from settings.reader import load_settings, locate
from settings.secret import check_secret_file, read_secret
from settings.sense import changed_settings, unfit_settings
from settings.source import parse_toml, read_toml
from settings.writer import dump_settings

__all__ = [
    "Bounds",
    "InFile",
    "Key",
    "Lines",
    "OrEmpty",
    "Pattern",
    "Problem",
    "SecretFile",
    "Setting",
    "SettingsFileError",
    "Shape",
    "Unfit",
    "UnusableFile",
    "changed_settings",
    "check_secret_file",
    "distinct",
    "docs_of",
    "dotted",
    "dump_settings",
    "example",
    "header",
    "host_name",
    "is_readable",
    "lines_of",
    "link",
    "listen_address",
    "load_settings",
    "locate",
    "network",
    "not_empty",
    "origin",
    "parse_toml",
    "places_of",
    "proxy_address",
    "read_regular",
    "read_secret",
    "read_toml",
    "readable",
    "settings_of",
    "several_lines",
    "shown",
    "split_address",
    "toml_value",
    "unfit_settings",
    "web_address",
]
