"""Tables of the report, one file per question: frames in, display tables out."""
