"""The dashboard: pages for people, out of the journal, in a process beside the engine."""
