"""What can go wrong with signing keys.

SigningKeyError           base
├── NoSigningKey          a ring has no key that signs
└── SigningKeyDamaged     a key that is kept is not what its record says
"""

from __future__ import annotations


class SigningKeyError(Exception):
    """Base of this package's errors."""


class NoSigningKey(SigningKeyError):
    """Nothing can be signed (or opened) with this ring and algorithm."""

    def __init__(self, ring: str, algorithm: str) -> None:
        super().__init__(ring, algorithm)
        self.ring, self.algorithm = ring, algorithm

    def __str__(self) -> str:
        return f"ring {self.ring} has no active {self.algorithm} key; see `isthmus certs list`"


class SigningKeyDamaged(SigningKeyError):
    """A key is left out of its ring: id, algorithm, certificate and key do not belong together."""

    def __init__(self, id_: str, ring: str, problem: str) -> None:
        super().__init__(id_, ring, problem)
        self.id, self.ring, self.problem = id_, ring, problem

    def __str__(self) -> str:
        return f"key {self.id} of ring {self.ring}: {self.problem}; restore the store from its backup"
