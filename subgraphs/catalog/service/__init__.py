"""Catalog's use cases: ``catalog`` answers and changes, ``shelf`` keeps the search index true, ``live`` tells of prices."""
