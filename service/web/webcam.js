// A short clip from the camera, as a file.

import { element } from "./elements.js";

const LASTS = 4000; // milliseconds

export function webcam(onClip, onProblem) {
  const picture = element("video", { muted: true, playsInline: true, class: "camera", "aria-label": "what the camera sees" });
  const record = element("button", { type: "button", class: "primary" }, "Record 4 seconds");
  const close = element("button", { type: "button" }, "Close the camera");
  const place = element("div", { class: "webcam", hidden: true }, picture, element("div", { class: "buttons" }, record, close));
  let stream = null;

  const stop = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = picture.srcObject = null;
    place.hidden = true;
  };
  const open = async () => {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: false });
    } catch (error) {
      onProblem({ title: "No camera", detail: error.name === "NotAllowedError"
        ? "The browser was told not to give this page the camera. Allow it beside the address, and try again."
        : "No camera was found. Choose a file instead." });
      return;
    }
    picture.srcObject = stream;
    place.hidden = false;
    record.disabled = false;
    record.textContent = "Record 4 seconds";
    await picture.play();
    record.focus();
  };
  record.onclick = () => {
    const type = ["video/mp4", "video/webm"].find((one) => MediaRecorder.isTypeSupported(one));
    const recorder = new MediaRecorder(stream, { mimeType: type }), pieces = [];
    recorder.ondataavailable = (event) => pieces.push(event.data);
    recorder.onstop = () => {
      stop();
      onClip(new File(pieces, `webcam.${type.split("/")[1]}`, { type }));
    };
    recorder.start();
    record.disabled = true;
    record.textContent = "Recording …";
    setTimeout(() => recorder.state === "recording" && recorder.stop(), LASTS);
  };
  close.onclick = stop;
  return { place, open, stop };
}
