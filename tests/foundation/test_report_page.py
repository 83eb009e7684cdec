"""The frame of reports."""

from __future__ import annotations

from foundation.report_page import REPORT_END, report_start


def test_a_report_is_one_page_without_scripts() -> None:
    """Its title is escaped, and its policy lets nothing in from elsewhere."""
    text = report_start("<b>Farm</b>", ".own { color: red; }", skip=("table", "To the table")) + REPORT_END
    assert "<title>&lt;b&gt;Farm&lt;/b&gt;</title>" in text
    assert "default-src 'none'; style-src 'unsafe-inline'" in text
    assert '<a class="skip" href="#table">To the table</a>' in text
    assert text.index("prefers-color-scheme: dark") < text.index(".own { color: red; }")
    assert "<script" not in text
    assert text.endswith("</html>\n")
