// Takes uContact's messages (Porthole's envelopes, or plain ones) from pages of known origins, and asks the API for them
// as the agent who has logged in here. What an action asks for stands in the page's settings: see proxy.py.
"use strict";

const TOKEN = "astdialer-token";

/** The message in what was posted, and the envelope around it, if any; null if it is none. */
function unpacked(posted) {
  let body = posted;
  if (typeof body === "string") {
    try {
      body = JSON.parse(body);
    } catch (error) {
      return null;
    }
  }
  if (body === null || typeof body !== "object") return null;
  const inside = body.data !== null && typeof body.data === "object";
  const message = inside ? body.data : body;
  return typeof message.action === "string" ? { message, envelope: inside ? body : null } : null;
}

/** The answer as whoever asked expects it: Porthole knows its partner by the window's name. */
function packed(answer, envelope, from, to) {
  if (!envelope) return answer;
  return JSON.stringify({
    data: answer,
    sourceOrigin: from,
    targetOrigin: to,
    sourceWindowName: envelope.targetWindowName || "",
    targetWindowName: envelope.sourceWindowName || "",
  });
}

/** The form that an action sends. */
function formOf(action, message) {
  const form = new URLSearchParams();
  for (const [field, key] of Object.entries(action.fields || {})) {
    form.set(field, message[key] === undefined || message[key] === null ? "" : String(message[key]));
  }
  for (const [field, made] of Object.entries(action.objects || {})) {
    const object = Object.assign({}, message[made.from]);
    for (const [name, key] of Object.entries(made.with)) object[name] = message[key];
    form.set(field, JSON.stringify(object));
  }
  return form;
}

/** Asks the API; what to tell the page. ``forget`` is called when the token is not good any more. */
async function answerTo(message, actions, token, fetcher, forget) {
  const action = Object.prototype.hasOwnProperty.call(actions, message.action) ? actions[message.action] : null;
  if (!action) return { action: message.action, error: "no such action" };
  const told = { action: message.action, [action.answer]: action.json ? null : "0" };
  if (!token) return { ...told, error: "no agent has logged in" };
  try {
    const response = await fetcher("resources/" + action.path, {
      method: "POST",
      headers: { Authorization: "Basic " + token },
      body: formOf(action, message),
    });
    const text = await response.text();
    if (response.status === 401) forget();
    if (!response.ok) return { ...told, error: text };
    const why = response.headers.get("astdialer-error");
    return { ...told, [action.answer]: action.json ? JSON.parse(text) : text, ...(why ? { error: why } : {}) };
  } catch (error) {
    return { ...told, error: String(error) };
  }
}

/** The origin of an address; empty for what is none. */
function originOf(address) {
  try {
    return new URL(address || "").origin;
  } catch (error) {
    return "";
  }
}

function start() {
  const settings = JSON.parse(document.getElementById("settings").textContent);
  const form = document.getElementById("login");
  const said = document.getElementById("said");
  const page = document.getElementById("page");
  const show = () => {
    form.hidden = Boolean(sessionStorage.getItem(TOKEN));
  };
  const forget = () => {
    sessionStorage.removeItem(TOKEN);
    show();
  };

  window.addEventListener("message", async (event) => {
    if (!settings.origins.includes(event.origin) || !event.source) return;
    const found = unpacked(event.data);
    if (!found) return;
    const token = sessionStorage.getItem(TOKEN);
    const answer = await answerTo(found.message, settings.actions, token, fetch.bind(window), forget);
    event.source.postMessage(packed(answer, found.envelope, window.location.origin, event.origin), event.origin);
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const response = await fetch("resources/auth/getUserToken", {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
    });
    const text = await response.text();
    said.textContent = response.ok ? "" : text;
    if (response.ok) sessionStorage.setItem(TOKEN, text);
    form.elements.password.value = "";
    show();
  });

  const wanted = new URLSearchParams(window.location.hash.slice(1)).get("page");
  if (settings.origins.includes(originOf(wanted))) {
    page.src = wanted;
    page.hidden = false;
  }
  show();
}

if (typeof document !== "undefined") start();
if (typeof module !== "undefined") module.exports = { unpacked, packed, formOf, answerTo, originOf };
