import subprocess
import sys

from tests.clips import carphone

# garbage with a decoder's threads in it, and a child that collects it
SCRIPT = """
import gc, os, sys
from pathlib import Path
from facestab.video.container import opened

gc.disable()
with opened(Path(sys.argv[1]), threads=2) as (container, stream):
    next(container.decode(stream))
# as an exception and its traceback do
ring = [container, stream]
ring.append(ring)
del container, stream, ring
child = os.fork()
if child == 0:
    gc.enable()
    gc.collect()
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_does_not_wait_for_the_threads_of_its_parents_decoders():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(carphone())],
        timeout=30,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
