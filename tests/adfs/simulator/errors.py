"""What a simulated cmdlet says when it refuses."""

from __future__ import annotations


class PsError(Exception):
    """An error record of PowerShell.

    `error_id` is the FullyQualifiedErrorId, `category` a name of `System.Management.Automation.ErrorCategory`. Not
    terminating, it is written to the error stream and the pipeline still completes.
    """

    def __init__(
        self, message: str, error_id: str = "", category: str = "NotSpecified", *, terminating: bool = True
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_id = error_id
        self.category = category
        self.terminating = terminating
