"""The page: sections, templates, style and script."""
