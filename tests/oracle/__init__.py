"""What a page must say about an SQLite file, worked out a second time and in the plainest way.

Nothing here imports the exporter: an error shared by both sides would be invisible.
"""
