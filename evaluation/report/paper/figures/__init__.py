"""Figures for print, one file per question: frames in, matplotlib figures of a journal's width out."""
