"""Makes forks safe beside PyAV.

A decoder that an exception or a reference cycle holds lives on, with its threads, until garbage is collected. A forked
loader process inherits the decoder without the threads, and waits for ever for them when its own collector frees it.
So garbage is collected before a fork, and the child's collector leaves alone what it inherited.
"""

import gc
import os
from functools import cache


def _before() -> None:
    gc.collect()
    gc.freeze()


@cache
def make_forks_safe() -> None:
    """Do so at every fork of this process from now on, where the system forks. Once is enough."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before, after_in_parent=gc.unfreeze)
