"""The paper kit's tables, figures and checklists: made of the report's own tables and frames."""
