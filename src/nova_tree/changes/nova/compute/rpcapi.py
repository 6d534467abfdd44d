"""The compute RPC client also reaches the namespace ``xloud``.

Its own client does, so the versions of Nova's compute RPC stay as they are.
"""
from nova.xloud import rpcapi as xloud_rpcapi


class ComputeAPI:
    def xloud(self):
        """Make the client of the RPC namespace ``xloud``."""
        return xloud_rpcapi.XloudAPI()
