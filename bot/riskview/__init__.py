"""What ``perphedge risk`` shows of one moment: a document, tables and a heatmap."""
