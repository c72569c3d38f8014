// Decodes the code under the pointer, from the arrays in the page: see moving_figure.py.
"use strict";

const figure = document.querySelector(".moving-figure");
const data = JSON.parse(figure.querySelector("script").textContent);
const [plane, digit] = figure.querySelectorAll("canvas");
const floats = (text) =>
  new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

// Kernel and bias of each layer, then the kernel of the linear path.
const numbers = [...floats(data.arrays)];
const arrays = data.shapes.map((s) => numbers.splice(0, s.reduce((a, b) => a * b)));
const shortcut = arrays.pop();
const silu = (value) => value / (1 + Math.exp(-value));
const affine = (x, kernel, bias) =>
  bias.map((b, j) => x.reduce((sum, v, i) => sum + v * kernel[i * bias.length + j], b));

function decode(code) {
  let x = code;
  for (let i = 0; i < arrays.length; i += 2) {
    x = affine(i ? x.map(silu) : x, arrays[i], arrays[i + 1]);
  }
  return affine(code, shortcut, x);
}

const codes = floats(data.codes);
const { center, reach } = data;
let code = [codes[0], codes[1]];

function drawPlane() {
  const size = (plane.width = plane.height = plane.clientWidth * devicePixelRatio);
  const across = (x) => (size / 2) * (1 + (x - center[0]) / reach);
  const down = (y) => (size / 2) * (1 - (y - center[1]) / reach);
  const context = plane.getContext("2d");
  const dot = size / 140;
  for (let row = 0; row < data.classes.length; row++) {
    context.fillStyle = data.colors[data.classes[row]];
    context.fillRect(across(codes[2 * row]), down(codes[2 * row + 1]), dot, dot);
  }
  context.strokeStyle = getComputedStyle(plane).color;
  context.lineWidth = dot / 2;
  context.arc(across(code[0]), down(code[1]), 4 * dot, 0, 2 * Math.PI);
  context.stroke();
}

function show(newCode) {
  code = newCode.map((value, i) =>
    Math.min(Math.max(value, center[i] - reach), center[i] + reach));
  figure.decoded = { code, pixels: decode(code) };
  const ink = figure.decoded.pixels.flatMap((v) => [0, 0, 0, 255 * v]);
  const image = new ImageData(Uint8ClampedArray.from(ink), 8, 8);
  digit.getContext("2d").putImageData(image, 0, 0);
  const text = code.map((value) => value.toFixed(2)).join(", ");
  figure.querySelector("output").textContent = `code (${text})`;
  drawPlane();
}

function follow(event) {
  const { left, top, width, height } = plane.getBoundingClientRect();
  const across = (event.clientX - left) / width, down = (event.clientY - top) / height;
  show([center[0] + reach * (2 * across - 1), center[1] + reach * (1 - 2 * down)]);
}
plane.addEventListener("pointerdown", follow);
plane.addEventListener("pointermove", follow);

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
plane.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  if (!step) return;
  event.preventDefault();
  show(code.map((value, i) => value + (step[i] * reach) / 40));
});

figure.hidden = false;
show(code);
new ResizeObserver(drawPlane).observe(plane);
