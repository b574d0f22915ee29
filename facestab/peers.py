"""The processes of a distributed run: they wait for each other, and end when one of them is gone."""

import hmac
import logging
import os
import secrets
import selectors
import socket
import struct
import sys
import threading
from datetime import timedelta
from types import TracebackType

import torch.distributed as dist

from facestab.errors import FacestabError

log = logging.getLogger(__name__)
_LEFT, _FAILED, _LOST = b".", b"!", b""
_RANK = struct.Struct("!I")
_TOKEN_BYTES = 16
# what a process needs to call the first one, once both have met
_CALL_S = 60.0
_WORD_S = 5.0
# who has been interrupted like the others may end by itself
_GRACE_S = 3.0
# an error of the network may be seen before its cause, and long before on a machine with much to do
_NEWS_S = 15.0
# a machine that has lost its power says nothing: asked after 10 s of silence, given up after four questions
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}
# one process may predict for days while another, whose videos were short, waits
_PATIENCE = timedelta(days=30)


class Peers:
    """What one process knows of the others of its run. Used in a `with` block around the work.

    A process that is killed leaves the others waiting: in an exchange until the time limit of the process group, which
    is half an hour, and between two exchanges, as while videos are predicted, for as long as their own work takes. So
    every process holds a connection to the first one, which the system closes when either ends, however it ends. Then
    all others end too, within seconds and with one line; how long a process that lives may take does not matter.
    """

    def __init__(self) -> None:
        self._rank, self._size = 0, 1
        self._ranks: dict[socket.socket, int] = {}
        self._patient: dist.ProcessGroup | None = None
        self._is_over, self._is_one_gone = threading.Event(), threading.Event()

    def join(self, rank: int, size: int) -> None:
        """Meet the others, once; all processes call it, when the process group is there.

        Args:
            rank: of this process.
            size: number of processes.
        """
        if size == 1 or self._patient is not None:
            return
        self._rank, self._size = rank, size
        group = dist.new_group(timeout=_PATIENCE)
        assert isinstance(group, dist.ProcessGroup)
        self._patient = group
        address = os.environ.get("MASTER_ADDR", "127.0.0.1")
        self._ranks = _listen(address, size) if rank == 0 else _call(address, rank)
        # a loader's worker that outlives its process would keep the connection open
        os.register_at_fork(after_in_child=self._hang_up)
        threading.Thread(target=self._watch, name="facestab-peers", daemon=True).start()

    def _hang_up(self) -> None:
        for link in self._ranks:
            link.close()
        self._ranks = {}

    def wait(self) -> None:
        """Let every process come to this point, however long that takes."""
        if self._patient is not None:
            dist.barrier(self._patient)

    def agree(self, plan: str) -> None:
        """Make sure that all are about to do the same.

        Raises:
            FacestabError: naming two plans that differ.
        """
        if self._patient is None:
            return
        plans: list[str] = [""] * self._size
        dist.all_gather_object(plans, plan)
        others = [other for other in plans if other != plans[0]]
        if others:
            raise FacestabError(
                f"the {self._size} processes do not agree on what to do, '{plans[0]}' or '{others[0]}'; start all of "
                "them with the same command and one name=..., and one run at a time"
            )

    def leave(self, word: bytes = _FAILED) -> None:
        """End watching, and tell the others how this process ends."""
        if self._is_over.is_set():
            return
        self._is_over.set()
        self._tell(word)

    def _tell(self, word: bytes) -> None:
        for link in self._ranks:
            try:
                link.sendall(word)
            except OSError:
                continue

    def _watch(self) -> None:
        with selectors.DefaultSelector() as waiting:
            for link in self._ranks:
                waiting.register(link, selectors.EVENT_READ)
            while waiting.get_map() and not self._is_over.is_set():
                for key, _ in waiting.select():
                    assert isinstance(key.fileobj, socket.socket)
                    word = _word(key.fileobj)
                    waiting.unregister(key.fileobj)
                    if word != _LEFT:
                        self._end(self._ranks[key.fileobj], word)

    def _end(self, rank: int, word: bytes) -> None:
        self._is_one_gone.set()
        # when the first is gone, all others see it
        if word == _LOST and self._rank <= 1 and not self._is_over.is_set():
            print(
                f"facestab: error: process {rank + 1} of {self._size} has gone before its work was done (killed? out "
                "of memory?), so the others end, too; start the same command again",
                file=sys.stderr,
            )
        # at once: whose exchange breaks now must learn that this is why
        self._tell(_FAILED)
        # who failed has said why
        if word == _FAILED:
            self._is_over.wait(_GRACE_S)
        if self._is_over.is_set():
            return
        # without clean-up: the main thread may wait for ever, in an exchange that nobody answers
        os._exit(1)

    def __enter__(self) -> "Peers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_own = isinstance(error, (FacestabError, KeyboardInterrupt, SystemExit))
        if error is not None and not is_own and self._ranks and self._is_one_gone.wait(_NEWS_S):
            # an exchange with a process that is gone: there is nothing to say beyond that
            os._exit(1)
        self.leave(_LEFT if error is None else _FAILED)


def _listen(address: str, size: int) -> dict[socket.socket, int]:
    """Connections from all others, who are told where to call and what to say."""
    host = "127.0.0.1" if address in ("127.0.0.1", "localhost") else ""
    with socket.create_server((host, 0)) as server:
        token = secrets.token_bytes(_TOKEN_BYTES)
        dist.broadcast_object_list([server.getsockname()[1], token], src=0)
        server.settimeout(_CALL_S)
        links: dict[socket.socket, int] = {}
        try:
            while len(links) < size - 1:
                link, _ = server.accept()
                said = _introduced(link)
                if len(said) == _TOKEN_BYTES + _RANK.size and hmac.compare_digest(said[:_TOKEN_BYTES], token):
                    links[_kept(link)] = _RANK.unpack(said[_TOKEN_BYTES:])[0]
                else:
                    link.close()
        except TimeoutError:
            log.warning("%d of %d processes cannot be watched: they do not reach this one", size - 1 - len(links), size)
    return links


def _introduced(link: socket.socket) -> bytes:
    """What a caller says first; a stranger may say nothing."""
    link.settimeout(_WORD_S)
    try:
        return link.recv(_TOKEN_BYTES + _RANK.size, socket.MSG_WAITALL)
    except OSError:
        return b""


def _call(address: str, rank: int) -> dict[socket.socket, int]:
    """The connection to the first process; none when it cannot be reached."""
    told = [0, b""]
    dist.broadcast_object_list(told, src=0)
    port, token = told
    assert isinstance(port, int)
    assert isinstance(token, bytes)
    try:
        link = socket.create_connection((address, port), timeout=_CALL_S)
        link.sendall(token + _RANK.pack(rank))
    except OSError as error:
        log.warning("process %d: whether the others live cannot be watched (%s)", rank + 1, error)
        return {}
    return {_kept(link): 0}


def _kept(link: socket.socket) -> socket.socket:
    link.settimeout(None)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return link


def _word(link: socket.socket) -> bytes:
    try:
        return link.recv(1)
    except OSError:
        return _LOST


PEERS = Peers()
