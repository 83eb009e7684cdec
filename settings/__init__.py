"""Settings files and the secrets that they name: how TOML becomes the packages' frozen models.

What belongs here: reading, what is refused and where the refusal points, the example file, and the one way in which a
secret is read from a file. What does not: the models themselves, which lie beside the code that they configure, and whether
their values make sense together.
"""

from settings.errors import Problem, SettingsFileError, UnusableFile
from settings.examples import example, header, toml_value
from settings.fields import InFile, SecretFile, Setting, Shape, docs_of, settings_of
from settings.reader import load_settings
from settings.secret import check_secret_file, read_secret
from settings.source import read_toml

__all__ = [
    "InFile",
    "Problem",
    "SecretFile",
    "Setting",
    "SettingsFileError",
    "Shape",
    "UnusableFile",
    "check_secret_file",
    "docs_of",
    "example",
    "header",
    "load_settings",
    "read_secret",
    "read_toml",
    "settings_of",
    "toml_value",
]
