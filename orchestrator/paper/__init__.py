"""The paper kit of a study: methods, statement and checklists from its plan, tables and figures from its report."""
