"""Prometheus text: what its own parser reads back."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from adfs_mgmt.health.checks import check_farm
from adfs_mgmt.health.prometheus import prometheus_text
from adfs_mgmt.health.settings import Thresholds
from tests.adfs.farm import samples
from tests.adfs.farm.samples import NOW


def test_checks_and_ends_are_gauges() -> None:
    """Of several farms; odd names are escaped."""
    farm = samples.farm(ssl=samples.tls(60))
    other = replace(samples.farm(), name='te"st\\\n')
    judged = [
        (each, samples.outside(each), check_farm(each, samples.outside(each), Thresholds(), NOW)) for each in (farm, other)
    ]
    families = {family.name: family for family in text_string_to_metric_families(prometheus_text(judged))}
    checks = {
        (sample.labels["farm"], sample.labels["check"], sample.labels["host"]): sample.value
        for sample in families["isthmus_adfs_check"].samples
    }
    assert checks["prod", "ssl-certificate", "sts1.example.com"] == 1
    assert checks["prod", "token-signing", "prod"] == 0
    assert ('te"st\\\n', "ssl-certificate", "sts1.example.com") in checks
    ends = {
        (sample.labels["farm"], sample.labels["use"]): sample.value
        for sample in families["isthmus_adfs_certificate_end_seconds"].samples
    }
    assert ends["prod", "Token-Signing"] == samples.signing().seen.not_after
    assert [sample.value for sample in families["isthmus_adfs_read_seconds"].samples] == [NOW, NOW]


def test_each_series_is_there_once() -> None:
    """Several findings of one check on one host are the worst of them."""
    farm = samples.farm(sign_with=(samples.signing(), samples.signing(-3, key=4), samples.signing(-4, key=5)))
    text = prometheus_text([(farm, None, check_farm(farm, None, Thresholds(), NOW))])
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))
