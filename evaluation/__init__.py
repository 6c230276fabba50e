"""What the scores mean: tables and arrays in, small frozen results out.

Labels are joined here and nowhere else. Nothing in this package trains, schedules or talks to a server.
"""
