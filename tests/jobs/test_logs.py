"""Logs of every library in one form, with whose request they belong to."""

import json
import subprocess
import sys

SCRIPT = """
import logging, structlog
from jobs.logs import configure_logs
from jobs.settings import Settings
configure_logs(Settings(log_format={form!r}))
with structlog.contextvars.bound_contextvars(request="r1", job="j1"):
    structlog.get_logger("worker.tasks").info("ours", count=3)
    logging.getLogger("service.app").warning("by %s", "the standard library")
    logging.getLogger("somebody").info("not heard")
    try:
        secret = "hunter2-in-a-variable"
        raise ValueError("it broke")
    except ValueError:
        structlog.get_logger("jobs").exception("failed")
        logging.getLogger("somebody").exception("failed too")
"""


def said(form):
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(form=form)], capture_output=True, text=True, check=True)
    assert done.stdout == "", "standard output belongs to answers"
    return done.stderr


def test_json_logs_are_one_object_a_line_with_request_and_job():
    lines = [json.loads(line) for line in said("json").splitlines()]
    assert [(line["event"], line["level"], line["logger"]) for line in lines] == [
        ("ours", "info", "worker.tasks"),
        ("by the standard library", "warning", "service.app"),
        ("failed", "error", "jobs"),
        ("failed too", "error", "somebody"),
    ]
    assert all((line["request"], line["job"]) == ("r1", "j1") for line in lines)
    assert lines[0]["count"] == 3
    for line in lines[2:]:
        assert "ValueError: it broke" in line["exception"]
        assert "hunter2" not in line["exception"], "a variable's value is an asker's data"


def test_text_logs_say_the_same_to_people():
    text = said("text")
    assert "by the standard library" in text
    assert text.count("ValueError: it broke") == 2
    assert "request=r1" in text
    assert "not heard" not in text
