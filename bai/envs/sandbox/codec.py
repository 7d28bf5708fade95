"""The closed value codec: plain data to bytes and back, and nothing else.

The code lives in :mod:`bai.envs.sandbox.inside.codec`, because the resident runner loads
the very same file inside the sandbox.
"""

from bai.envs.sandbox.inside.codec import MAX_BYTES, MAX_DEPTH, CodecError, decode, encode

__all__ = ["MAX_BYTES", "MAX_DEPTH", "CodecError", "decode", "encode"]
