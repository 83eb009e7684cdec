"""Judgement: what is wrong with a farm or soon will be, as lines, JSON, Prometheus text and a timeline picture. Pure.

What belongs here: thresholds and checks over what `adfs_mgmt.farm` has read. What does not: reading.
"""
