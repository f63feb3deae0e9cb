"""Runs independent stages of a DVC pipeline at the same time, on one machine or on several."""
