"""Settings of the whole suite.

Properties try the same examples at every run, so that a change is judged by what it changes.
``make search`` tries others: what it finds becomes a test of its own.
"""

import os

from hypothesis import settings

settings.register_profile("steady", derandomize=True)
settings.register_profile("search", derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
