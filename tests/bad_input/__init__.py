import pytest

# so that it shows what differs
pytest.register_assert_rewrite("tests.bad_input.command")
