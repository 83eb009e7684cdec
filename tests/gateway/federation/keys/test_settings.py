"""Periods that fit each other."""

from __future__ import annotations

import pytest

from gateway.federation.keys import KeySettings
from settings import unfit_settings


def test_the_defaults_fit() -> None:
    """And the policy has them."""
    settings = KeySettings()
    assert list(unfit_settings(settings)) == []
    assert settings.policy.publish_for == settings.publish_for


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (KeySettings(create_before=6.9 * 86400), "create_before"),
        (KeySettings(oidc_lifetime=30 * 86400), "oidc_lifetime"),
        (KeySettings(saml_lifetime=86400), "saml_lifetime"),
        (KeySettings(publish_for=100), "lead"),
    ],
)
def test_periods_that_leave_no_time_are_refused(settings: KeySettings, key: str) -> None:
    """Each names its setting."""
    assert [found[-1] for found, _error in unfit_settings(settings)] == [key]


def test_the_key_set_is_never_cached_longer_than_a_quarter_of_its_notice() -> None:
    """However short the periods are."""
    assert KeySettings().max_age == 3600
    assert KeySettings(publish_for=10.0, lead=2.0).max_age == 2
