"""Tests: they mirror the rooms."""
