"""Why other caches differ from the mirror: a small table, each row with its clause and with exactly what it covers."""
