"""Traces: nothing at all without a collector, and a clear word where what they need is missing."""

import builtins
import subprocess
import sys

import pytest

from jobs.errors import ConfigurationError
from jobs.settings import Settings
from jobs.tracing import begin_span, configure_tracing, current_traceparent, record_span, spanning


def test_without_a_collector_nothing_is_traced_and_nothing_is_imported():
    code = """
import sys
from jobs.settings import Settings
from jobs.tracing import configure_tracing, current_traceparent, end_tracing, spanning
configure_tracing(Settings(), "service")
with spanning("a", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") as span:
    assert span.traceparent == current_traceparent() == ""
end_tracing()
sys.exit(any(name.startswith("opentelemetry") for name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_steps_without_a_collector_cost_no_error():
    with spanning("a") as span:
        span.rename("b")
        span.tell(frames=3)
        assert current_traceparent() == ""
    begin_span("c").end(failure="no reason")
    record_span("d", "", 1.0, 2.0)


def test_the_usual_variable_turns_traces_on(monkeypatch):
    assert Settings().otlp_endpoint is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert Settings().otlp_endpoint == "http://127.0.0.1:4318"
    monkeypatch.setenv("TWOFOLD_OTLP_ENDPOINT", "http://127.0.0.1:1")
    assert Settings().otlp_endpoint == "http://127.0.0.1:1"


def test_without_the_library_the_operator_hears_what_to_install(monkeypatch):
    real = builtins.__import__

    def lacking(name, *arguments, **options):
        if name.startswith("opentelemetry.exporter"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(ConfigurationError, match=r"pip install 'twofold\[otel\]'"):
        configure_tracing(Settings(otlp_endpoint="http://127.0.0.1:1"), "service")
