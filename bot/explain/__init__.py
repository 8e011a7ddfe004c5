"""Why a cycle did what it did, and what came of it, in plain words from its records."""
