// On /account: the browser asks for leave after a press, never before; the form carries what it gave.
const form = document.getElementById("push-add");
const note = document.getElementById("push-note");
const button = form?.querySelector("button");

function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (sign) => sign.charCodeAt(0));
}

async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") return form.dataset.denied;
  const { pushManager } = await navigator.serviceWorker.ready;
  const applicationServerKey = bytes(form.dataset.key);
  const before = await pushManager.getSubscription();
  const isOurs = before && String(new Uint8Array(before.options.applicationServerKey)) === String(applicationServerKey);
  if (before && !isOurs) await before.unsubscribe(); // of a key that veille has no more
  const { endpoint, keys } = (await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey })).toJSON();
  form.elements.endpoint.value = endpoint;
  form.elements.p256dh.value = keys.p256dh;
  form.elements.auth.value = keys.auth;
  form.submit();
  return "";
}

async function mark(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((one) => one.toString(16).padStart(2, "0")).join("");
}

// Which row is this browser.
async function recognize() {
  const here = await (await navigator.serviceWorker.ready).pushManager.getSubscription();
  if (!here) return;
  const row = document.getElementById(`push-${await mark(here.endpoint)}`);
  if (!row) return; // removed from elsewhere, or of a colleague on the same computer
  row.querySelector("[data-here]").hidden = false;
  form.hidden = true;
}

if (form) {
  if (window.isSecureContext && "PushManager" in window && "Notification" in window) {
    button.disabled = false;
    note.textContent = Notification.permission === "denied" ? form.dataset.denied : "";
    recognize();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      button.disabled = true;
      subscribe().catch(() => form.dataset.failed).then((said) => {
        note.textContent = said;
        button.disabled = !said;
      });
    });
  } else note.textContent = form.dataset.unable;
}
