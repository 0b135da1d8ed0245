"""What a person does on the page, step by step, for the tests of this folder."""

from pathlib import Path
from typing import Any

from tests.web.visits import Visit

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

# The time from a move of the pointer to the new picture: the move's own timestamp against the first paint after it.
MEASURE_MOVES = """async (count) => {
  const surface = document.querySelector(".surface"), box = surface.getBoundingClientRect(), spent = [];
  const face = document.querySelector(".face"), context = face.getContext("2d");
  let before = context.getImageData(0, 0, face.width, face.height).data.join();
  for (let at = 0; at < count; at += 1) {
    const share = (at + 1) / (count + 1);
    await new Promise((resolve) => requestAnimationFrame(resolve));
    const began = performance.now();
    surface.dispatchEvent(new PointerEvent("pointermove", { pointerType: "mouse", bubbles: true,
      clientX: box.left + box.width * share, clientY: box.top + box.height * (0.2 + 0.6 * share) }));
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    spent.push(performance.now() - began);
    const now = context.getImageData(0, 0, face.width, face.height).data.join();
    if (now === before) throw new Error(`move ${at} changed nothing`);
    before = now;
  }
  return spent.sort((a, b) => a - b);
}"""

PIXELS = """(canvas) => Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)"""


def upload(visit: Visit, clip: Path) -> Any:
    """Give the page a file, and wait for the clip's view."""
    page = visit.open()
    page.set_input_files(".drop input", clip)
    page.wait_for_selector(".view.clip[data-shown]")
    return page


def pixels(page: Any, selector: str) -> list[int]:
    return list(page.eval_on_selector(selector, PIXELS))


def query(page: Any) -> dict[str, str]:
    """What the page's address says of its view."""
    said = page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.split('?')[1] ?? ''))")
    return {str(name): str(value) for name, value in said.items()}


def addresses(encoded: list[str]) -> dict[str, str]:
    three = ",".join(encoded)
    return {
        "start": "#start",
        "clip": f"#clip?job={encoded[0]}&frame=20",
        "plane": f"#plane?job={encoded[0]}",
        "swap": f"#swap?static={three}&dynamic={three}",
        "future": f"#future?job={encoded[0]}",
        "jobs": "#jobs",
    }
