"""Metric families and how they become a page: catalogue, samples, labels, exposition."""
