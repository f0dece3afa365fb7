"""Errors, split by who must act; every message is one line: what, where in it, rule, value, remedy.

StreamerError
    InputError          the user's file, option or setting: the command line ends with status 2
    ProtocolError       the other end of a socket sent what the wire does not allow
        Refused         the daemon answered HELLO with a reason
"""


class StreamerError(Exception):
    """Base of every error this program raises on purpose."""


class InputError(StreamerError):
    """Unreadable input or wrong usage; the message names the file or key, the rule, the value and the remedy."""


class ProtocolError(StreamerError):
    """A message that the wire format does not allow."""


class Refused(ProtocolError):
    """The daemon would not take this stream; the message is its reason."""
