"""What runs inside a sandbox: standard library only, nothing of the rest of bai.

The host imports :mod:`~bai.envs.sandbox.inside.codec` and
:mod:`~bai.envs.sandbox.inside.wire` from here too, so that both ends speak one language.
"""
