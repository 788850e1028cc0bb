"""How bytes reach a client: uvicorn with a protocol class of our own."""
