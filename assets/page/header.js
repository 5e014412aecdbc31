// The head of the page: its name, the language, the theme and the help.

const { h, icon } = window.vizattn;
const SUN = "M8 3.2V1.5M8 14.5v-1.7M3.2 8H1.5M14.5 8h-1.7M4.6 4.6 3.4 3.4M12.6 12.6l-1.2-1.2"
  + "M4.6 11.4l-1.2 1.2M12.6 3.4l-1.2 1.2M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6Z";
const MOON = "M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1Z";
const root = element.querySelector(".vp-header");

function languages(value) {
  return h("span", { class: "vp-segments", role: "group", "aria-label": value.texts.language },
    value.languages.map(([code, name]) => h("button", {
      type: "button", lang: code, "aria-pressed": String(code === value.language),
      onclick: () => code !== value.language && speak(code, value),
    }, name)));
}

function speak(code, value) {
  window.vizattn.ask(value.texts["busy.language"], () => trigger('language',
    { language: code, selection: window.vizattn.selection() }));
}

function theme(value) {
  const button = h("button", { type: "button", class: "vp-quiet", title: value.texts.theme,
    "aria-label": value.texts.theme, onclick: () => { window.vizattn.setDark(!window.vizattn.dark()); draw(); } });
  const draw = () => button.replaceChildren(icon(window.vizattn.dark() ? SUN : MOON));
  draw();
  return button;
}

function help(value) {
  const { texts } = value;
  const close = h("button", { type: "button", class: "vp-button", autofocus: true,
    onclick: () => dialog.close() }, texts.close);
  const dialog = h("dialog", { class: "vp-help", "aria-labelledby": "vp-help-title",
    onclick: (event) => event.target === dialog && dialog.close() },
  h("div", {}, h("h2", { id: "vp-help-title" }, texts["help.title"]),
    value.help.map((sentence) => h("p", {}, sentence)),
    h("p", {}, texts["help.api"]), h("pre", { tabindex: "0" }, program(value.network)), close));
  const button = h("button", { type: "button", class: "vp-quiet vp-help-button",
    onclick: () => dialog.showModal() }, texts.help);
  return [button, dialog];
}

/** What a program writes to ask about a place, ready to be run against this very page. */
function program(network) {
  const here = window.location.origin + window.location.pathname;
  return [
    "from gradio_client import Client, handle_file",
    `client = Client("${here}")`,
    'picture = handle_file("picture.jpg")',
    "row, overlay = client.predict(",
    `    image=picture, network="${network}",`,
    '    x=240, y=180, api_name="/attend",',
    ")",
    "client.view_api()",
  ].join("\n");
}

function draw() {
  if (!props.value) return;
  const value = JSON.parse(props.value);
  document.documentElement.lang = value.language === "zh" ? "zh-CN" : value.language;
  window.vizattn.nameClose(value.texts.close);
  document.title = value.texts.title;
  root.replaceChildren(
    h("div", { class: "vp-name" }, h("h1", {}, "vizattn"), h("p", {}, value.texts.tagline)),
    h("div", { class: "vp-tools" }, languages(value), theme(value), help(value)),
  );
}

window.vizattn.rememberTheme();
watch('value', draw);
draw();
