"""A pad to draw a digit on, for JupyterLab, Notebook and Colab."""

import base64

import anywidget
import torch
import traitlets

SIDE = 140  # pixels that are sent to Python; the pad is drawn twice as wide


class DigitPad(anywidget.AnyWidget):
    """A black square that is drawn on with a mouse, a finger, a pen or the keyboard.

    With the keyboard: the arrow keys move, the space bar puts the pen down or lifts it, and
    Delete clears. ``pixels`` holds the grey values, ``SIDE`` rows of ``SIDE`` bytes in base64, or
    a blank when the pad is empty. It changes once for each stroke, when the pen is lifted.
    """

    _esm = """
    const SIDE = 140, PEN = 11, STEP = 5;

    function render({ model, el }) {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = SIDE;
      canvas.className = "digit-pad";
      canvas.tabIndex = 0;
      canvas.dataset.lmSuppressShortcuts = "true";  // else Notebook takes the arrow keys
      canvas.setAttribute("role", "application");
      canvas.setAttribute("aria-label", "Drawing pad for a digit. The arrow keys move, " +
        "space puts the pen down or lifts it, Delete clears.");
      const clearButton = document.createElement("button");
      clearButton.textContent = "Clear";
      clearButton.className = "digit-pad-clear";
      const status = document.createElement("span");
      status.className = "digit-pad-status";
      status.setAttribute("aria-live", "polite");
      el.append(canvas, document.createElement("br"), clearButton, status);

      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.lineWidth = PEN;
      context.lineCap = context.lineJoin = "round";
      context.strokeStyle = "white";
      const blank = () => { context.fillStyle = "black"; context.fillRect(0, 0, SIDE, SIDE); };
      const send = () => {
        const rgba = context.getImageData(0, 0, SIDE, SIDE).data;
        const grey = new Uint8Array(SIDE * SIDE);
        for (let i = 0; i < grey.length; i++) grey[i] = rgba[4 * i];
        // Text, not bytes: Backbone, below the widgets, takes all binary values for equal.
        // An empty pad is "" or " ", by turns: clearing is heard even when nothing was drawn.
        const empty = model.get("pixels") === "" ? " " : "";
        model.set("pixels", grey.some(x => x) ? btoa(String.fromCharCode(...grey)) : empty);
        model.save_changes();
      };
      const line = (from, to) => {
        context.beginPath(); context.moveTo(...from); context.lineTo(...to); context.stroke();
      };

      blank();
      const saved = model.get("pixels");
      if (saved.trim()) {
        const grey = atob(saved), image = context.getImageData(0, 0, SIDE, SIDE);
        for (let i = 0; i < grey.length; i++)
          image.data.fill(grey.charCodeAt(i), 4 * i, 4 * i + 3);
        context.putImageData(image, 0, 0);
      }

      let last = null;  // where the pen is while it is down
      const place = event => {
        const box = canvas.getBoundingClientRect();
        return [(event.clientX - box.left) * SIDE / box.width,
                (event.clientY - box.top) * SIDE / box.height];
      };
      canvas.addEventListener("pointerdown", event => {
        if (!event.isPrimary) return;
        canvas.setPointerCapture(event.pointerId);
        canvas.focus();
        last = place(event);
        line(last, last);
        event.preventDefault();
      });
      canvas.addEventListener("pointermove", event => {
        if (!last || !event.isPrimary) return;
        const next = place(event);
        line(last, next);
        last = next;
      });
      const lift = () => { if (last) { last = null; send(); } };
      canvas.addEventListener("pointerup", lift);
      canvas.addEventListener("pointercancel", lift);

      let cursor = [SIDE / 2, SIDE / 2], penDown = false;
      const arrows =
        { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const say = () => {
        status.textContent = ` pen ${penDown ? "down" : "up"} at ${cursor[0]}, ${cursor[1]}`;
      };
      const liftKey = () => { if (penDown) { penDown = false; send(); } };
      canvas.addEventListener("keydown", event => {
        if (event.key in arrows) {
          const next = cursor.map((x, i) =>
            Math.min(SIDE - PEN, Math.max(PEN, x + STEP * arrows[event.key][i])));
          if (penDown) line(cursor, next);
          cursor = next;
        } else if (event.key === " ") {
          if (penDown) liftKey(); else { penDown = true; line(cursor, cursor); }
        } else if (event.key === "Delete" || event.key === "Backspace") {
          penDown = false; blank(); send();
        } else return;
        say();
        event.preventDefault();
        event.stopPropagation();
      });
      canvas.addEventListener("blur", () => { liftKey(); status.textContent = ""; });
      clearButton.addEventListener("click", () => {
        last = null;
        penDown = false;
        blank();
        send();
      });
    }
    export default { render };
    """
    _css = """
    .digit-pad { width: 280px; height: 280px; border: 1px solid #888; cursor: crosshair;
                 touch-action: none; }
    .digit-pad:focus { outline: 3px solid #1976d2; }
    .digit-pad-clear { font-size: 14px; padding: 4px 16px; }
    """
    pixels = traitlets.Unicode("").tag(sync=True)

    def image(self):
        """Return what is drawn as a uint8 tensor of shape (140, 140), 255 for ink."""
        grey = base64.b64decode(self.pixels) or bytes(SIDE * SIDE)
        return torch.frombuffer(bytearray(grey), dtype=torch.uint8).reshape(SIDE, SIDE)
