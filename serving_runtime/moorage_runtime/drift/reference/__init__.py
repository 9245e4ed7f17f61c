"""What current rows are compared with: a table or the first rows, summarised once into cells and their counts."""
