"""The rules of a shared HTTP cache (RFC 9111 and what it needs of 9110) as pure functions: `now` is an argument."""
