"""What earlier releases stored. Files are added, never edited: such rows are in databases."""
