"""What gets through: the rules by which an artifact is given or refused. Pure; `now` is an argument."""
