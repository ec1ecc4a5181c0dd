"""The filter in front of real handlers."""

import io
import logging
import os
import threading
from typing import Any

import pytest
from engine import EXAMPLES, scrubber, thoroughly
from hypothesis import given, settings
from hypothesis import strategies as st
from planting import Value, left, mappings, texts, values

from scrubbers import Policy, Scrubber
from scrubbers.embedding import UNSCRUBBABLE, ScrubbingFilter


class Kept(logging.Handler):
    """What a handler is given: the records, and what a formatter makes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def handler() -> Kept:
    kept = Kept()
    kept.addFilter(ScrubbingFilter(scrubber()))
    return kept


@pytest.fixture
def log(handler: Kept) -> logging.Logger:
    handler.records.clear()
    handler.lines.clear()
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    return logger


def passed(handler: Kept, **fields: Any) -> logging.LogRecord:
    handler.handle(logging.makeLogRecord(fields))
    return handler.records[-1]


@settings(thoroughly, max_examples=EXAMPLES or 40)  # large examples
@given(
    template=texts,
    arguments=st.one_of(st.lists(values(), max_size=3).map(tuple), mappings()),
    extra=mappings(),
    raised=st.none() | texts,
    stack=st.none() | texts,
)
def test_what_was_planted_anywhere_in_a_record_is_gone(
    handler: Kept, template: Value, arguments: Any, extra: Value, raised: Value | None, stack: Value | None
) -> None:
    planted: list[Value] = [template, extra, *([arguments] if isinstance(arguments, Value) else arguments)]
    fields = {
        f"extra_{name}" if hasattr(logging.makeLogRecord({}), name) else name: each
        for name, each in extra.value.items()
    }
    doubled = template.value.replace("%", "%%")
    if isinstance(arguments, Value):
        fields["args"], fields["msg"] = arguments.value, doubled
    else:
        fields["args"], fields["msg"] = tuple(each.value for each in arguments), doubled + " and %s" * len(arguments)
    if not fields["args"]:
        fields["msg"] = template.value  # it is not formatted
    if raised is not None:
        fields["exc_info"] = (ValueError, ValueError(raised.value), None)
        planted.append(raised)
    if stack is not None:
        fields["stack_info"] = stack.value
        planted.append(stack)
    record = passed(handler, **fields)
    secrets = [secret for each in planted for secret in each.secrets]
    assert left([record.__dict__, record.getMessage(), handler.lines[-1]], secrets) == []


def test_a_clean_record_stays_as_it_is(log: logging.Logger, handler: Kept) -> None:
    thing = object()
    log.info("order %s took %d ms", "42-17", 13, extra={"thing": thing})
    record = handler.records[0]
    assert (record.msg, record.args) == ("order %s took %d ms", ("42-17", 13))
    assert record.__dict__["thing"] is thing


def test_a_message_is_scrubbed_as_it_is_read(log: logging.Logger, handler: Kept) -> None:
    log.info("to %s@%s", "bob", "x.io")
    log.info("password=%s", "hunter2")
    log.info('{"user": {"email": "bob"}, "n": 1.10}')
    log.info("first\nbob@x.io\n")
    assert handler.lines == [
        "to [REDACTED:email]",
        "password=[REDACTED:password]",
        '{"user": {}, "n": 1.10}',
        "first\n[REDACTED:email]\n",
    ]
    assert handler.records[0].args is None


def test_a_named_argument_goes_by_its_name(log: logging.Logger, handler: Kept) -> None:
    log.info("user %(email)s, %(n)d times", {"email": "bob", "n": 2})
    assert handler.lines == ["user [REDACTED:email], 2 times"]


def test_a_number_that_is_personal_goes_where_a_number_is_wanted(log: logging.Logger, handler: Kept) -> None:
    log.info("card %d", 4111111111111111)
    assert handler.lines == ["card [REDACTED:payment_card]"]


def test_an_argument_goes_by_the_names_in_it(log: logging.Logger, handler: Kept) -> None:
    log.info("got %s for %s", {"password": b"hunter2", "n": 1}, "42-17")
    assert handler.lines == ["got {'n': 1} for 42-17"]


def test_an_argument_that_is_not_in_the_message_goes_too(log: logging.Logger, handler: Kept) -> None:
    log.info("no place for them", {"email": "bob", "n": 2})
    assert handler.lines == ["no place for them"]
    assert handler.records[0].args is None


def test_extra_goes_by_its_names(log: logging.Logger, handler: Kept) -> None:
    log.info("signed in", extra={"email": "bob", "user": {"id": 7, "phone": "1"}, "peer": "81.2.69.142"})
    fields = handler.records[0].__dict__
    assert "email" not in fields
    assert (fields["user"], fields["peer"]) == ({"id": 7}, "[REDACTED:ipv4]")
    assert handler.records[0].msg == "signed in"


def test_a_personal_exception_leaves_its_text_alone(log: logging.Logger, handler: Kept) -> None:
    try:
        raise LookupError("no bob@x.io")
    except LookupError:
        log.exception("failed")
    record = handler.records[0]
    assert record.exc_info is None
    assert "LookupError: no [REDACTED:email]" in handler.lines[0]
    assert "Traceback" in handler.lines[0]


def test_a_clean_exception_stays_an_exception(log: logging.Logger, handler: Kept) -> None:
    try:
        raise LookupError("no such order")
    except LookupError:
        log.exception("failed")
    assert handler.records[0].exc_info is not None


def test_what_a_formatter_left_in_the_record_is_scrubbed(handler: Kept) -> None:
    """Another handler, without the filter, may have formatted the record before."""
    record = logging.makeLogRecord(
        {"msg": "to %s", "args": ("bob@x.io",), "exc_info": (ValueError, ValueError("bob@x.io"), None)}
    )
    logging.Formatter().format(record)
    handler.handle(record)
    assert left(record.__dict__, ["bob@x.io"]) == []


def test_an_exception_that_is_text_already_is_scrubbed(handler: Kept) -> None:
    """It came from another process, or a formatter of its own made the text."""
    record = passed(handler, msg="x", exc_text="LookupError: bob@x.io")
    assert record.exc_text == "LookupError: [REDACTED:email]"
    record = passed(handler, msg="x", exc_text="a short text", exc_info=(ValueError, ValueError("bob@x.io"), None))
    assert (record.exc_text, record.exc_info) == ("a short text", None)


class Failing:
    def __str__(self) -> str:
        raise RuntimeError("bob@x.io")

    __repr__ = __str__


@pytest.mark.parametrize(
    "fields",
    [
        {"msg": "%d", "args": ("bob@x.io",)},
        {"msg": "%s", "args": (Failing(),)},
        {"msg": Failing()},
        {"msg": "x", "thing": Failing(), "note": "bob@x.io"},
        {"msg": "bob@x.io" * 200_000},
        {"msg": "%(a)s", "args": {"b": "bob@x.io"}},
        {"msg": "x", "exc_info": "bob@x.io"},
    ],
    ids=["wrong format", "argument", "message", "extra", "long", "missing name", "wrong exception"],
)
def test_a_record_that_cannot_be_scrubbed_says_no_more_than_where_and_when(
    handler: Kept, fields: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    record = passed(handler, **fields)
    assert record.getMessage() == UNSCRUBBABLE
    assert left(record.__dict__, ["bob@x.io", "RuntimeError"]) == []
    assert capsys.readouterr().err == ""


def test_names_of_threads_are_scrubbed(handler: Kept) -> None:
    assert passed(handler, msg="x", threadName="for bob@x.io").threadName == "for [REDACTED:email]"


def test_the_policy_decides(handler: Kept) -> None:
    own = Scrubber(Policy.model_validate({"keys": [{"names": ["order"], "action": "mask", "keep_last": 2}]}))
    record = logging.makeLogRecord({"msg": "bob@x.io", "order": "abcdef"})
    ScrubbingFilter(own).filter(record)
    assert (record.getMessage(), record.__dict__["order"]) == ("bob@x.io", "****ef")


def test_threads_log_at_the_same_time(log: logging.Logger, handler: Kept) -> None:
    threads = [
        threading.Thread(target=lambda: [log.info("to %s" + " x" * 5000, "bob@x.io") for _ in range(50)])
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {line[:20] for line in handler.lines} == {"to [REDACTED:email] "}
    assert len(handler.lines) == 300


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_logs_while_its_parent_did(handler: Kept) -> None:
    stop = threading.Event()
    out = io.StringIO()
    busy = threading.Thread(
        target=lambda: [
            ScrubbingFilter.filter(handler.filters[0], logging.makeLogRecord({"msg": "y" * 9000}))
            for _ in iter(stop.is_set, True)
        ]
    )  # type: ignore[arg-type,func-returns-value]
    busy.start()
    try:
        for _ in range(20):
            child = os.fork()
            if not child:
                record = logging.makeLogRecord({"msg": "bob@x.io"})
                handler.filters[0].filter(record)  # type: ignore[union-attr]
                os._exit(0 if record.getMessage() == "[REDACTED:email]" else 1)
            assert os.waitpid(child, 0)[1] == 0, out.getvalue()
    finally:
        stop.set()
        busy.join()
