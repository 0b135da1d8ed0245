// A short clip from the camera, as a file.

import { element } from "./elements.js";

const LASTS = 4000; // milliseconds

export function webcam(onClip, onProblem) {
  const picture = element("video", { muted: true, playsInline: true, class: "camera", "aria-label": "what the camera sees" });
  const record = element("button", { type: "button", class: "primary" }, "Record 4 seconds");
  const close = element("button", { type: "button" }, "Close the camera");
  const place = element("div", { class: "webcam", hidden: true }, picture, element("div", { class: "buttons" }, record, close));
  let stream = null, turn = 0; // each opening and each closing is a turn: what an earlier one began comes to nothing

  const release = (held) => held?.getTracks().forEach((track) => track.stop());
  const stop = () => {
    turn += 1;
    release(stream);
    stream = picture.srcObject = null;
    place.hidden = true;
  };
  const open = async () => {
    if (stream?.active) return void record.focus();
    const mine = turn += 1;
    let given;
    try {
      given = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: false });
    } catch (error) {
      if (mine !== turn) return;
      onProblem({ title: "No camera", detail: error.name === "NotAllowedError"
        ? "The browser was told not to give this page the camera. Allow it beside the address, and try again."
        : "No camera was found. Choose a file instead." });
      return;
    }
    if (mine !== turn) return void release(given); // the permission came too late
    picture.srcObject = stream = given;
    place.hidden = false;
    record.disabled = false;
    record.textContent = "Record 4 seconds";
    await picture.play().catch(() => { /* it was closed at once */ });
    record.focus();
  };
  record.onclick = () => {
    const type = ["video/mp4", "video/webm"].find((one) => MediaRecorder.isTypeSupported(one));
    const recorder = new MediaRecorder(stream, { mimeType: type }), pieces = [], mine = turn;
    let over = false;
    recorder.ondataavailable = (event) => pieces.push(event.data);
    recorder.onstop = () => {
      if (mine !== turn) return; // closing the camera ends a recording too, and nobody wants that one sent
      stop();
      if (over) onClip(new File(pieces, `webcam.${type.split("/")[1]}`, { type }));
      else onProblem({ title: "No clip", detail: "The camera went away while it recorded." });
    };
    recorder.start();
    record.disabled = true;
    record.textContent = "Recording …";
    setTimeout(() => {
      over = recorder.state === "recording";
      if (over) recorder.stop();
    }, LASTS);
  };
  close.onclick = stop;
  return { place, open, stop };
}
