"""The models of one cell as a folder that stands alone, and how it scores new radiographs."""
