"""Why a message did not go out."""


class NotSent(Exception):
    """A message was not taken; `reason` is for the operator alone."""

    def __init__(self, reason: str, *, is_final: bool = False, ends_round: bool = False) -> None:
        """`is_final`: this message will never be taken. `ends_round`: neither would the others be, now."""
        self.reason = reason
        self.is_final = is_final
        self.ends_round = ends_round
        super().__init__(reason)
