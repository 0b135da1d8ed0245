"""What a person does on the page, step by step, for the tests of this folder."""

import statistics
from pathlib import Path
from typing import Any

from tests.web.visits import Visit, wait_until

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

# From the moment that the browser was told of a move (the event's own time) to the first task after the paint that
# follows it; and whether the picture has changed by then.
LISTEN_FOR_MOVES = """() => {
  const face = document.querySelector(".face"), context = face.getContext("2d");
  const drawn = () => context.getImageData(0, 0, face.width, face.height).data.join();
  let before = drawn();
  window.moves = [];
  document.querySelector(".surface").addEventListener("pointermove", (event) => {
    requestAnimationFrame(() => setTimeout(() => {
      const spent = performance.now() - event.timeStamp, now = drawn();
      window.moves.push({ spent, changed: now !== before });
      before = now;
    }));
  });
}"""

# From any moment to the first task after the paint that follows it, many times, each some way into a frame.
WAIT_FOR_PAINTS = """async (count) => {
  const spent = [];
  for (let at = 0; at < count; at += 1) {
    await new Promise((resume) => setTimeout(resume, 17 * at / count));
    const began = performance.now();
    await new Promise((resume) => requestAnimationFrame(() => setTimeout(resume)));
    spent.push(performance.now() - began);
  }
  return spent;
}"""

PIXELS = """(canvas, rows) => Array.from(
  canvas.getContext("2d").getImageData(0, 0, canvas.width, Math.min(rows, canvas.height)).data)"""


def measure_moves(page: Any, count: int) -> list[float]:
    """Move the mouse over the plane, and return the milliseconds from each move to its picture."""
    box = page.locator(".surface").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 0.2 * box["height"])
    page.wait_for_timeout(200)
    page.evaluate(LISTEN_FOR_MOVES)
    for at in range(count):
        share = (at + 1) / (count + 1)
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * (0.2 + 0.6 * share))
        wait_until(page, f"window.moves.length > {at}", pause=5)
    moves = page.evaluate("window.moves")
    assert all(move["changed"] for move in moves), "a move that changes nothing is no measure"
    return [move["spent"] for move in moves]


def measure_paints(page: Any, count: int) -> float:
    """Return the median of the milliseconds to the first task after a paint, when nothing is to be drawn."""
    return float(statistics.median(page.evaluate(WAIT_FOR_PAINTS, count)))


def upload(visit: Visit, clip: Path) -> Any:
    """Give the page a file, and wait for the clip's view."""
    page = visit.open()
    page.set_input_files(".drop input", clip)
    page.wait_for_selector(".view.clip[data-shown]")
    return page


def pixels(page: Any, selector: str, rows: int = 1000) -> list[int]:
    """What a canvas shows in its first rows, as RGBA; a whole large one takes minutes to come over."""
    return list(page.eval_on_selector(selector, PIXELS, rows))


def query(page: Any) -> dict[str, str]:
    """What the page's address says of its view."""
    said = page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.split('?')[1] ?? ''))")
    return {str(name): str(value) for name, value in said.items()}


def addresses(encoded: list[str]) -> dict[str, str]:
    three = ",".join(encoded)
    return {
        "start": "#start",
        "clip": f"#clip?job={encoded[0]}&frame=20&span=10-30",
        "plane": f"#plane?job={encoded[0]}",
        "principal": f"#plane?job={encoded[0]}&dims=principal",
        "swap": f"#swap?static={three}&dynamic={three}",
        "future": f"#future?job={encoded[0]}",
        "jobs": "#jobs",
    }
