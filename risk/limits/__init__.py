"""The caps: what they measure, what is over them, what would mend it."""
