"""Ways in which a simulated process ends."""


class ProcessEndedError(BaseException):
    """The process is gone: nothing of it runs on, so nothing in it may catch this and act."""
