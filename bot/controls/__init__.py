"""The controls around trading: what each holds, what it does, and the state it keeps."""
