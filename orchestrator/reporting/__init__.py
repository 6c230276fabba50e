"""What the report is told: results, certificates, histories and licenses, gathered from the run store."""
