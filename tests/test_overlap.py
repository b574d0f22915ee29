"""Threads ahead and behind: order and number kept, errors passed on, little held, nothing left running."""

import threading
import time

import pytest

from facestab.overlap import Behind, ahead


def alive():
    return [thread for thread in threading.enumerate() if thread.name.startswith("facestab-")]


def wait_until(true):
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def put_all(function, depth, arguments):
    with Behind(function, depth) as behind:
        for argument in arguments:
            behind.put(argument)


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_the_same_items_come_in_the_same_order(depth):
    assert list(ahead(range(100), depth)) == list(range(100))
    assert not alive()


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_calls_are_made_in_the_order_of_their_arguments_and_all_before_the_block_ends(depth):
    called = []
    put_all(called.append, depth, range(100))
    assert called == list(range(100))
    assert not alive()


def test_no_more_items_are_made_than_may_wait_beside_the_one_in_the_making():
    made = []
    items = ahead((made.append(number) or number for number in range(100)), 3)
    assert next(items) == 0
    # one is with the caller, three wait, and one waits for room
    wait_until(lambda: len(made) == 5)
    time.sleep(0.2)
    assert len(made) == 5
    items.close()


def test_no_more_arguments_wait_than_may():
    go = threading.Event()
    put = []

    def fill(behind):
        for number in range(10):
            behind.put(number)
            put.append(number)

    with Behind(lambda _: go.wait(), 2) as behind:
        filler = threading.Thread(target=fill, args=(behind,))
        filler.start()
        # one is at work, and two wait
        wait_until(lambda: len(put) == 3)
        time.sleep(0.2)
        assert len(put) == 3
        go.set()
        filler.join()


@pytest.mark.parametrize("depth", [0, 2])
def test_an_error_while_items_are_made_comes_after_those_before_it(depth):
    def items():
        yield 1
        yield 2
        raise OSError("the disk is gone")

    running = ahead(items(), depth)
    assert [next(running), next(running)] == [1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(running)
    assert not alive()


@pytest.mark.parametrize("depth", [0, 2])
def test_an_error_in_a_call_is_raised_and_no_later_call_is_made(depth):
    called = []

    def call(number):
        called.append(number)
        if number == 3:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        put_all(call, depth, range(1000))
    assert called == [0, 1, 2, 3]
    assert not alive()


def test_an_error_in_the_last_call_is_raised_by_the_end_of_the_block():
    with pytest.raises(ZeroDivisionError):
        put_all(lambda number: 1 / number, 2, [0])


def test_a_block_that_fails_drops_what_waits_and_keeps_its_own_error():
    called, go = [], threading.Event()

    def call(number):
        called.append(number)
        go.wait()
        raise OSError("too late to matter")

    def fail():
        with Behind(call, 3) as behind:
            for number in range(4):
                behind.put(number)
            wait_until(lambda: called)
            go.set()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert called == [0]
    assert not alive()


@pytest.mark.parametrize("depth", [0, 2])
def test_a_caller_that_stops_early_closes_the_items(depth):
    closed = []

    def items():
        try:
            yield from range(100)
        finally:
            closed.append(True)

    running = ahead(items(), depth)
    next(running)
    running.close()
    assert closed == [True]
    assert not alive()


def test_nothing_runs_before_the_first_item_is_wanted():
    ahead(range(3), 2)
    assert not alive()


def test_a_depth_below_0_is_refused():
    with pytest.raises(ValueError, match="depth must be at least 0, got -1"):
        ahead([], -1)
    with pytest.raises(ValueError, match="depth must be at least 0, got -1"):
        Behind(print, -1)
