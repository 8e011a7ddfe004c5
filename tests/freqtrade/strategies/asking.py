"""The told strategy, which asks perphedge before it enters."""

import os

from perphedge_freqtrade import PerphedgeMixin
from told import Told


class Asking(PerphedgeMixin, Told):
    """Asks at the address in its environment; without an answer it does not enter."""

    perphedge_url = os.environ.get("ASK_AT", "")
