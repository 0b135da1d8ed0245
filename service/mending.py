"""What is ours to mend, answered where the request still has its id, its headers and its line in the log."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import ours_to_mend


class Mending:
    """The innermost middleware: the others write on its answer what every answer carries."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            began = began or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:  # whatever it was, the asker gets an answer and the log a trace
            if began or scope["type"] != "http":
                raise
            await (await ours_to_mend(Request(scope), error))(scope, receive, send)
