"""Where a worker is and what it knows, as of one moment, in one conditional put."""
