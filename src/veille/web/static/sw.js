// Beside every page: keeps files named by their hash, and a page only where the server says until when.
const STATIC = `veille-${VEILLE.version}`;
const LAST = "veille-last"; // the first page's last state, on devices whose person asked for it
const UNTIL = "Veille-Keep";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(STATIC).then((cache) => cache.addAll(VEILLE.files)).then(() => self.skipWaiting()));
});

async function tidy() {
  for (const name of await caches.keys()) if (name !== STATIC && name !== LAST) await caches.delete(name);
  await kept();
  await self.clients.claim();
}
self.addEventListener("activate", (event) => event.waitUntil(tidy()));

// The last state, unless its session is over: then it goes.
async function kept() {
  const found = await (await caches.open(LAST)).match("/");
  if (found && Number(found.headers.get(UNTIL)) > Date.now()) return found;
  await caches.delete(LAST);
}

async function first(event) {
  const answer = await fetch(event.request);
  if (answer.ok && answer.headers.has(UNTIL)) {
    const copy = answer.clone();
    event.waitUntil(caches.open(LAST).then((cache) => cache.put("/", copy)));
  } else if (answer.ok || answer.type === "opaqueredirect") event.waitUntil(caches.delete(LAST));
  return answer;
}

async function page(event, isFirst) {
  try {
    return await (isFirst ? first(event) : fetch(event.request));
  } catch (error) {
    if (event.request.mode !== "navigate") throw error;
    const last = isFirst && (await kept());
    return last || (await caches.match("/offline")) || Response.error();
  }
}

self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== location.origin) return;
  if (pathname.startsWith("/static/")) {
    event.respondWith(caches.match(event.request).then((found) => found || fetch(event.request)));
  } else if (mode === "navigate" || pathname === "/") event.respondWith(page(event, pathname === "/"));
});

self.addEventListener("push", (event) => {
  const said = event.data?.json();
  if (!said) return;
  const actions = [{ action: "open", title: said.open_text }];
  if (said.take) actions.unshift({ action: "take", title: said.take_text });
  event.waitUntil(kept().then(() => self.registration.showNotification(said.title, {
    body: said.body,
    tag: said.tag, // replaces what was said of the same incident
    renotify: said.rings,
    silent: !said.rings,
    requireInteraction: said.stays,
    lang: said.lang,
    icon: VEILLE.icon,
    badge: VEILLE.icon,
    actions,
    data: { path: said.path, take: said.take },
  })));
});

async function open(path) {
  const address = new URL(path, location.origin);
  if (address.origin !== location.origin) return;
  for (const client of await self.clients.matchAll({ type: "window" })) {
    if (new URL(client.url).pathname === address.pathname) return client.focus();
  }
  return self.clients.openWindow(address.href);
}

self.addEventListener("notificationclick", (event) => {
  const { path, take } = event.notification.data ?? {};
  event.notification.close();
  event.waitUntil(open((event.action === "take" && take) || path || "/"));
});

// The browser changed its address, and only a signed-in person may give us the new one: they are told.
self.addEventListener("pushsubscriptionchange", (event) => {
  const [title, body] = VEILLE.changed;
  event.waitUntil(self.registration.showNotification(title, { body, tag: "changed", data: { path: "/account#push" } }));
});
