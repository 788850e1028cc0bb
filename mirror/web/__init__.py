"""Everything that is HTTP routing: the mirrors as plain ASGI, the rest as FastAPI below `/-/`."""
