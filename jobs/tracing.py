"""OpenTelemetry traces, from an upload to its result, where `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector.

Everywhere else these functions do nothing and import nothing. A trace crosses processes as the W3C's `traceparent`, in
a request's header and in the job's record.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jobs.errors import ConfigurationError
from jobs.settings import Settings

Attribute = str | int | float | bool
log = logging.getLogger(__name__)
_provider: Any = None  # of this process; None: no traces
_parent: ContextVar[str] = ContextVar("traceparent", default="")


class Span:
    """A step of a trace; without a collector, nothing."""

    def __init__(self, span: Any = None, traceparent: str = "") -> None:
        self._span = span
        self.traceparent = traceparent

    def rename(self, name: str) -> None:
        """Say what the step turned out to be."""
        if self._span is not None:
            self._span.update_name(name)

    def tell(self, **attributes: Attribute) -> None:
        """Add what became known only meanwhile."""
        if self._span is not None:
            for key, value in attributes.items():
                self._span.set_attribute(f"twofold.{key}", value)

    def end(self, at: float | None = None, failure: str = "") -> None:
        """End the step, now or at a Unix time in seconds."""
        if self._span is not None:
            if failure:
                from opentelemetry.trace import Status, StatusCode

                self._span.set_status(Status(StatusCode.ERROR, failure))
            self._span.end(_nanoseconds(at))


def configure_tracing(settings: Settings, process: str) -> None:
    """Send this process's traces to the collector that the settings name, if they name one.

    Raises:
        ConfigurationError: they do, and what that needs is not installed.

    """
    global _provider
    if not settings.otlp_endpoint:  # an empty variable means none, too
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, which need OpenTelemetry: pip install 'twofold[otel]'"
        ) from None
    exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces")
    provider = TracerProvider(resource=Resource.create({"service.name": f"twofold-{process}"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _provider = provider


def end_tracing() -> None:
    """Send what has not been sent yet."""
    global _provider
    provider, _provider = _provider, None
    if provider is not None:
        provider.shutdown()


def begin_span(name: str, parent: str | None = None, at: float | None = None, **attributes: Attribute) -> Span:
    """Begin a step under a `traceparent`, by default the step in hand; `at` is a Unix time in seconds."""
    if _provider is None:
        return Span()
    from opentelemetry.trace import set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = TraceContextTextMapPropagator()
    above = carrier.extract({"traceparent": _parent.get() if parent is None else parent})
    span = _provider.get_tracer("twofold").start_span(name, above, start_time=_nanoseconds(at))
    told: dict[str, str] = {}
    carrier.inject(told, set_span_in_context(span))
    begun = Span(span, told.get("traceparent", ""))
    begun.tell(**attributes)
    return begun


@contextmanager
def spanning(name: str, parent: str | None = None, **attributes: Attribute) -> Iterator[Span]:
    """Make the block a step; those begun within are below it."""
    span = begin_span(name, parent, at=None, **attributes)
    token = _parent.set(span.traceparent)
    try:
        yield span
    except BaseException as error:
        span.end(failure=type(error).__name__)
        raise
    else:
        span.end()
    finally:
        _parent.reset(token)


def record_span(name: str, parent: str, began: float, ended: float, **attributes: Attribute) -> None:
    """Tell a step that is over, by its Unix times in seconds."""
    begin_span(name, parent, at=began, **attributes).end(at=max(began, ended))


def current_traceparent() -> str:
    """Return the step in hand, for whoever goes on elsewhere; empty without traces."""
    return _parent.get()


def _nanoseconds(seconds: float | None) -> int:
    return time.time_ns() if seconds is None else round(seconds * 1e9)
