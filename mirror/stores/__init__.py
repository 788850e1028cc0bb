"""Where bytes and entries are kept: one file per technology."""
