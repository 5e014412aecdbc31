// The column of choices: a picture, a task, a network, and what can be taken away.

const { h, icon } = window.vizattn;
const UP = "M8 10.5V2.5M4.8 5.5 8 2.5l3.2 3M2.5 10.5v2a1 1 0 0 0 1 1h9a1 1 0 0 0 1-1v-2";
const WIDE = window.matchMedia("(min-width: 900px)");
const root = element.querySelector(".vp-choices");
let value = null;
let stream = null;
let wanted = null;

// Pictures from outside.

async function open(file) {
  if (!file) return;
  const { texts, limit } = value;
  if (file.size > limit * 1024 * 1024) return say(texts.too_heavy);
  say("");
  window.vizattn.busy(texts["busy.upload"], 0);
  try {
    const { path } = await upload(file);
    window.vizattn.ask(runs(value.network), () => trigger('picture',
      { path, selection: window.vizattn.selection() }));
  } catch {
    window.vizattn.busy(null);
    say(texts.offline);
  }
}

function say(words) {
  root.querySelector(".vp-said").textContent = words;
}

function runs(name) {
  return value.texts["busy.network"].replace("{network}", networkOf(name).title);
}

function networks() {
  return value.families.flatMap((family) => family.networks);
}

function networkOf(name) {
  return networks().find((one) => one.name === name);
}

function dropZone() {
  const { texts } = value;
  const file = h("input", { type: "file", accept: "image/*,.tif,.tiff", class: "vp-hidden",
    tabindex: "-1", "aria-hidden": "true", onchange: () => { open(file.files[0]); file.value = ""; } });
  const link = (words, act) => h("button", { type: "button", class: "vp-link", onclick: act }, words);
  return h("div", { class: "vp-drop" }, file, icon(UP), h("p", {}, `${texts.drop} `,
    link(texts.choose_file, () => file.click()),
    navigator.mediaDevices ? [" · ", link(texts.camera, camera)] : null));
}

async function camera() {
  const { texts } = value;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
  } catch {
    return say(texts.camera_denied);
  }
  const video = h("video", { playsinline: true, muted: true });
  video.muted = true;
  video.srcObject = stream;
  const box = h("div", { class: "vp-camera" }, video, h("div", { class: "vp-row" },
    h("button", { type: "button", class: "vp-button vp-primary", onclick: () => take(video) },
      texts.take),
    h("button", { type: "button", class: "vp-button", onclick: endCamera }, texts.cancel)));
  root.querySelector(".vp-drop").replaceChildren(box);
  await video.play();
}

function endCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  root.querySelector(".vp-drop")?.replaceWith(dropZone());
}

function take(video) {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  endCamera();
  canvas.toBlob((blob) => open(new File([blob], "camera.png", { type: "image/png" })));
}

function examples() {
  const { texts } = value;
  return h("div", { class: "vp-examples", role: "group", "aria-label": texts.examples },
    value.examples.map((one) => h("button", { type: "button", title: one.title,
      "aria-label": one.title, "aria-pressed": String(one.id === value.example),
      onclick: () => window.vizattn.ask(texts["busy.example"], () => trigger('example',
        { example: one.id, selection: window.vizattn.selection() })) }, h("img", { src: one.thumbnail, alt: "", loading: "lazy" }))));
}

// Networks, one task at a time.

function tasks() {
  return h("div", { class: "vp-segments vp-wide", role: "group", "aria-label": value.texts.task },
    value.tasks.map((task) => h("button", { type: "button", title: task.hint,
      "aria-pressed": String(task.name === value.task),
      onclick: () => turnTo(task.name) }, task.title)));
}

/** Show the counterpart of the network in another task; where all are far away, which there are. */
function turnTo(task) {
  if (task === networkOf(value.network).task) {
    value.task = task;
    return show();
  }
  const there = counterpart(task);
  if (there) return choose(there.name);
  value.task = task;
  show();
  root.querySelector(".vp-pick").click();
}

/** The network of another task with the same mechanism, else that task's first that is here. */
function counterpart(task) {
  const there = networks().filter((one) => one.task === task && one.here);
  const { mechanism } = networkOf(value.network);
  return there.find((one) => mechanism && one.mechanism === mechanism) ?? there[0];
}

/** Ask for a network; one that is far away is downloaded first. */
function choose(network) {
  wanted = null;
  if (networkOf(network).here) {
    return window.vizattn.ask(runs(network), () => trigger('network',
      { network, selection: window.vizattn.selection() }));
  }
  wanted = network;
  const words = value.zoo.downloading.replace("{name}", networkOf(network).title)
    .replace("{done}", "0").replace("{total}", "…").replace("{share}", "0%");
  window.vizattn.busy(words, 0);
  trigger('download', { network });
}

function menu() {
  return window.vizattn.picker({ groups: value.families, chosen: value.network, task: value.task,
    tasks: Object.fromEntries(value.tasks.map((one) => [one.name, one.title])),
    words: { ...value.zoo, network: value.texts.network }, choose }).root;
}

function about() {
  const one = networkOf(value.network);
  return h("div", { class: "vp-about" }, h("p", {}, one.line),
    h("p", { class: "vp-metric", title: one.measured }, h("strong", {}, one.metric),
      one.plain ? h("span", {}, one.plain) : null), ownWeights());
}

// Weights from outside, where whoever runs the page allows it.

function ownWeights() {
  const { zoo, weights, weights_limit: limit } = value;
  if (weights) {
    return h("p", { class: "vp-own" }, zoo.own_now.replace("{file}", weights), " · ",
      h("button", { type: "button", class: "vp-link", onclick: () => choose(value.network) },
        zoo.own_back));
  }
  if (!limit) return null;
  const file = h("input", { type: "file", accept: ".safetensors,.pt,.pth,.bin",
    class: "vp-hidden vp-weights", tabindex: "-1", "aria-hidden": "true",
    onchange: () => { send(file.files[0], limit); file.value = ""; } });
  return h("p", { class: "vp-own" }, file, h("button", { type: "button", class: "vp-link",
    title: zoo.own_hint.replace("{limit}", limit), onclick: () => file.click() }, zoo.own));
}

async function send(file, limit) {
  if (!file) return;
  if (file.size > limit * 1024 * 1024) {
    return say(value.zoo.own_too_large.replace("{file}", file.name).replace("{limit}", limit));
  }
  say("");
  window.vizattn.busy(value.zoo.busy_own, 0);
  try {
    const { path } = await upload(file);
    window.vizattn.ask(runs(value.network), () => trigger('weights',
      { path, selection: window.vizattn.selection() }));
  } catch {
    window.vizattn.busy(null);
    say(value.texts.offline);
  }
}

// A grid of tokens that the visitor knows: the instrument asks, and what is open is looked at again.

document.addEventListener("vizattn:grid", (event) => {
  if (!value || !event.target.closest("#vp-instrument")) return;
  window.vizattn.ask(value.texts["busy.grid"], () => trigger('grid',
    { grid: event.detail, selection: window.vizattn.selection() }));
});

// What can be taken away.

function saves() {
  const { texts } = value;
  return h("div", { class: "vp-saves" }, value.saves.map(([kind, suffix]) => h("button", {
    type: "button", class: "vp-button", title: texts[`save.${kind}.hint`], "data-save": kind,
    onclick: () => trigger('save', { kind, selection: window.vizattn.selection() }),
  }, h("span", {}, texts[`save.${kind}`]), h("small", {}, suffix))));
}

function copyLink() {
  const { texts } = value;
  const button = h("button", { type: "button", class: "vp-link vp-copy", onclick: async () => {
    await navigator.clipboard.writeText(String(window.vizattn.address()));
    button.textContent = texts.link_copied;
    setTimeout(() => { button.textContent = words; }, 1600);
  } });
  const words = value.example ? texts.copy_link : texts.link_other;
  button.textContent = words;
  return navigator.clipboard ? button : null;
}

// The whole column.

function section(title, ...children) {
  return h("section", {}, h("h2", {}, title), ...children);
}

function show() {
  const { texts } = value;
  const drawer = root.querySelector("details");
  const isOpen = WIDE.matches || Boolean(drawer?.open && root.dataset.kept === value.analysis);
  root.dataset.kept = value.analysis;
  const picture = value.examples.find((one) => one.id === value.example);
  root.replaceChildren(h("details", { open: isOpen },
    h("summary", {}, h("span", { class: "vp-drawer" }, texts.drawer),
      h("span", { class: "vp-now" }, `${picture?.title ?? texts.your_picture} · `
        + networkOf(value.network).title)),
    h("div", { class: "vp-sections" },
      section(texts.picture, dropZone(), h("p", { class: "vp-said", role: "status" }), examples()),
      section(texts.task, tasks()),
      section(texts.network, menu(), about()),
      section(texts.save, saves(), copyLink()))));
  const lead = document.querySelector(".vp-lead");
  const fits = picture?.network === value.network;
  if (lead) lead.textContent = fits ? picture.note : texts.lead;
}

function draw() {
  if (!props.value) return;
  const next = JSON.parse(props.value);
  // A welcome that comes after the first look has nothing to say any more.
  if (value?.analysis && !next.analysis) return;
  value = next;
  show();
  const arrived = wanted && networks().find((one) => one.name === wanted && one.here);
  window.vizattn.answered();
  wanted = null;
  if (arrived) choose(arrived.name);
  window.vizattn.arrived({ example: value.example, network: value.network,
    language: value.language, analysis: value.analysis });
}

WIDE.addEventListener("change", () => {
  const drawer = root.querySelector("details");
  if (drawer) drawer.open = WIDE.matches;
});

// The whole page takes what is dropped or pasted.

let inside = 0;
const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
const mark = () => document.body.classList.toggle("vp-dropping", inside > 0);
const listen = (name, act) => document.addEventListener(name, (event) => {
  if (!value || !carries(event) || !root.checkVisibility()) return;
  event.preventDefault();
  act(event);
  mark();
});
listen("dragenter", () => { inside += 1; });
listen("dragover", () => {});
listen("dragleave", () => { inside -= 1; });
listen("drop", (event) => { inside = 0; open(event.dataTransfer.files[0]); });
document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (file && value && root.checkVisibility()) open(file);
});

document.addEventListener("vizattn:failed", () => value && show());
watch('value', draw);
draw();
