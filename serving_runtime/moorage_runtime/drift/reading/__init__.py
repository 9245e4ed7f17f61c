"""From messages of captured events to blocks of rows."""
