"""Radiographs in: folders of hospitals become tables and a pixel store."""
