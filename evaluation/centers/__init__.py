"""Between centers: heterogeneity, and whether a center betrays itself."""
