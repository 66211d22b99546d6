// Keeps a page as fresh as the store, and says so. Everything works without it.
const live = document.getElementById("live");
const alarm = document.getElementById("alarm");
const words = live?.dataset;
const LATE_MS = 2000;
const MOST_TOLD = 3; // one by one: of a bulk the sentences alone would fill a phone
let title = document.title;

function say(place, text, link, href) {
  const wanted = link ? `${text} ${link}` : text;
  if (place.textContent === wanted) return;
  place.replaceChildren(text);
  if (link) {
    const again = document.createElement("a");
    again.href = href;
    again.textContent = link;
    place.append(" ", again);
  }
}

// What stands on the page: how much is news, and whether we hear of news at all.
const state = { seen: words?.since, at: words?.at, news: new Set(), more: more(document), told: "", lost: "", alarms: alarms(document), isGone: false, isResting: false, tries: 0 };

// What is critical on a page, and what is said of it when it becomes so.
function alarms(page) {
  return new Map([...page.querySelectorAll("[data-alarm]")].map((e) => [e.dataset.live, e.dataset.alarm]));
}

// What a list holds back until it is asked for: it says so itself.
function more(page) {
  return Number(page.querySelector("[data-news]")?.dataset.news ?? 0);
}

function tell() {
  if (state.isGone) return say(live, words.over, words.login, "/login");
  const told = [state.lost, state.told];
  const both = (...said) => [...new Set([...told, ...said])].filter(Boolean).join(" ");
  if (state.tries) return say(live, both(words.offline.replace("{at}", state.at)));
  if (state.isResting) return say(live, both(words.rest), words.refresh, words.page);
  const count = state.news.size + state.more;
  document.title = count ? `(${count}) ${title}` : title;
  if (!count) return say(live, both());
  const isList = [...state.news].some((name) => name.startsWith("-"));
  const text = isList ? words.changed : count === 1 ? words.one : words.other.replace("{count}", count);
  say(live, both(text), words.refresh, words.fresh || words.page);
}

// What has changed under the eyes of who reads is said until they go on (WCAG 2.2, 4.1.3).
function changed(told) {
  if (!told.length) return;
  state.told = told.length > MOST_TOLD ? words.changed : told.join(" ");
  untilHeard();
}

function goOn() {
  state.told = state.lost = "";
  tell();
}

function untilHeard() {
  // before what the press itself leads to, which may say something again
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, goOn, { once: true, capture: true });
}

// A person writes in it, or would lose the focus: what they hold is not taken from their hands.
function isHeld(part) {
  const focus = document.activeElement;
  const isLost = part.contains(focus) && !focus.id;
  const fields = [...part.querySelectorAll("textarea, input:not([type=hidden])")];
  const lists = [...part.querySelectorAll("select")];
  const first = (list) => Math.max(0, [...list.options].findIndex((option) => option.defaultSelected));
  return isLost || lists.some((list) => list.selectedIndex !== first(list))
    || fields.some((e) => e.value !== e.defaultValue || e.checked !== e.defaultChecked);
}

function replace(old, fresh) {
  const focus = old.contains(document.activeElement) ? document.activeElement.id : "";
  const open = [...old.querySelectorAll("details[id][open]")].map((e) => e.id);
  const lost = [...old.querySelectorAll("[data-mention][data-gone]")];
  const { offsetHeight } = old;
  old.replaceWith(fresh);
  for (const place of lost) {
    const again = fresh.querySelector(`[data-mention="${place.dataset.mention}"]`);
    if (again) block(again).style.minHeight = block(place).style.minHeight;
  }
  if (lost.length) hold(fresh, offsetHeight);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  window.htmx?.process(fresh);
}

// Nothing was there to be read: what comes is shown at once.
function wakeUp(page) {
  const calm = document.querySelector("[data-calm]")?.closest("section");
  if (!calm || page.querySelector("[data-calm]")) return false;
  const fresh = page.getElementById(calm.id);
  document.addEventListener("click", () => say(alarm, ""), { once: true });
  replace(calm, fresh);
  return true;
}

// A row of another view by now stays where it is read, and says so.
function left(row) {
  const place = row.matches("tr[data-row]") && row.querySelector(".said");
  // a list that stands is sent each of its rows: one that is not was erased, and is read no more
  if (place && words.fresh) place.querySelector(".clip").textContent = words.gone;
  if (!place || place.querySelector(".left") || !words.left) return;
  const said = document.createElement("p");
  said.className = "left";
  said.textContent = words.left;
  place.append(said);
}

function apply(page) {
  erase(page); // it may have been read before
  const now = alarms(page); // before any of it moves to this document
  const isAwake = wakeUp(page);
  // also of what was announced already, or stands here, and is critical only now
  const said = [...now].filter(([name]) => !state.alarms.has(name)).map(([, text]) => text);
  if (said.length) say(alarm, said.join(" "), ...(isAwake ? [] : [words.refresh, words.page]));
  state.alarms = now;
  state.more = more(page);
  const here = new Map([...document.querySelectorAll("[data-live]")].map((e) => [e.dataset.live, e]));
  const news = new Set();
  const told = [];
  for (const fresh of page.querySelectorAll("[data-live]")) {
    const name = fresh.dataset.live;
    const old = here.get(name);
    here.delete(name);
    if (!old) news.add(name);
    else if (old.isEqualNode(fresh)) continue;
    else if (isHeld(old)) news.add(name);
    else {
      const said = fresh.dataset.said;
      if (said && said !== old.dataset.said) told.push(said);
      replace(old, fresh);
    }
  }
  changed(told);
  for (const [name, old] of here) {
    news.add(`-${name}`);
    left(old);
  }
  state.news = news;
}

// What was erased leaves a page that lies open: `data-mention` names whose text an element holds.
const ASKED = 100;
const LAST = "veille-last"; // as in sw.js
const gone = new Set();
const pages = "BroadcastChannel" in window && words?.since ? new BroadcastChannel("veille-gone") : null;
const whose = (place) => place.dataset.mention.split(" ");
const quoting = (page) => [...page.querySelectorAll("[data-mention]:not([data-gone])")];
const block = (place) => (place.matches("a, span:not(.clip)") ? place.parentElement : place);

// What stands below is not moved while it is read; the height of a table's row is its least.
function hold(place, height) {
  if (height) place.style[getComputedStyle(place).display === "table-row" ? "height" : "minHeight"] = `${height}px`;
}

// Each text of which all mentions are gone is replaced where it stands.
function erase(page) {
  const places = quoting(page).filter((place) => whose(place).every((key) => gone.has(key)));
  for (const place of places) {
    const isLost = place !== document.activeElement && place.contains(document.activeElement);
    hold(block(place), block(place).offsetHeight);
    place.dataset.gone = "";
    place.removeAttribute("lang");
    place.textContent = words.erased;
    if (!isLost) continue;
    place.tabIndex = -1;
    place.focus({ preventScroll: true });
  }
  return places.length;
}

// What the service worker keeps of the first page, to be shown without a net.
async function kept() {
  const found = await window.caches?.match("/");
  return found && new DOMParser().parseFromString(await found.text(), "text/html");
}

// What an address answers, null where it did not come whole; `isOwed` if it may come later.
async function ask(path, as) {
  const how = { cache: "no-store", redirect: "manual", headers: { "Veille-Live": "1" }, signal: AbortSignal.timeout(10000) };
  try {
    const answer = await fetch(path, how);
    state.isGone ||= answer.type === "opaqueredirect";
    return { said: answer.ok ? await answer[as]() : null, isOwed: answer.status >= 500 };
  } catch {
    return { said: null, isOwed: true };
  }
}

let owed;

async function forget() {
  const last = await kept().catch(() => null); // none where the browser keeps nothing
  clearTimeout(owed);
  const keys = [...new Set([document, last].filter(Boolean).flatMap(quoting).flatMap(whose))].filter((key) => !gone.has(key));
  for (let at = 0; at < keys.length; at += ASKED) {
    const { said, isOwed } = await ask(`/live/gone?mentions=${keys.slice(at, at + ASKED).join(".")}`, "json");
    for (const key of said ?? []) gone.add(key);
    if (isOwed) owed = setTimeout(forget, LATE_MS * 5); // it is told once
  }
  if (erase(document)) {
    state.lost = words.lost;
    untilHeard();
    read(); // what was counted and gathered from it
  }
  tell();
  if (last && quoting(last).some((place) => whose(place).some((key) => gone.has(key)))) await caches.delete(LAST);
}

let isReading = false;
let isAsked = false;

async function read() {
  if (!words.page) return; // what a form left here has no address to be read again at
  isAsked = true;
  if (isReading) return;
  isReading = true;
  while (isAsked) {
    isAsked = false;
    const { said } = await ask(words.page, "text");
    if (said !== null) apply(new DOMParser().parseFromString(said, "text/html"));
    tell();
  }
  isReading = false;
}

function listen() {
  const stream = new EventSource(`/live?since=${encodeURIComponent(state.seen)}`);
  const on = (name, act) => stream.addEventListener(name, act);
  on("open", () => {
    state.isResting = false;
    if (state.tries) read(); // what was missed, and whether the session lasts
    state.tries = 0;
    tell();
    document.dispatchEvent(new Event("veille:open"));
  });
  on("beat", (event) => { state.at = event.data; });
  on("change", (event) => {
    state.seen = event.lastEventId;
    const topics = event.data.split(" ");
    if (topics.includes("gone")) {
      forget();
      pages?.postMessage("");
    }
    if (topics.some((topic) => topic !== "gone")) read();
  });
  on("told", (event) => {
    const told = JSON.parse(event.data);
    document.dispatchEvent(new CustomEvent(`veille:${told.data.kind}`, { detail: told }));
  });
  on("over", () => {
    stream.close();
    state.isGone = true;
    tell();
  });
  on("rest", () => { // too many pages of this session are open: on again when this one is looked at
    stream.close();
    state.isResting = true;
    tell();
    document.addEventListener("visibilitychange", listen, { once: true });
  });
  stream.onerror = async () => {
    stream.close();
    state.tries += 1;
    tell();
    const most = Math.min(60000, 1000 * 2 ** state.tries);
    setTimeout(again, most / 2 + (Math.random() * most) / 2);
  };
}

async function again() {
  await read(); // says at once whether the session is over: a stream only ever fails
  if (!state.isGone) listen();
}

if (live && words.since) {
  listen();
  // another page of this browser was told
  if (pages) pages.onmessage = () => state.isResting && forget();
  window.caches?.has(LAST).then((isKept) => isKept && forget()); // kept before, and never told
  addEventListener("pageshow", (event) => event.persisted && forget());
}

// A session that sleeps ends: said two minutes before, and one press prolongs it (WCAG 2.2, 2.2.1).
const WARNED_MS = 120000;
const dozing = document.getElementById("doze"); // not the alarm: neither hides the other
let usedAt = Date.now();
let heldAt = null; // what had the focus when it was said

async function stay() {
  // not by itself: without our header it counts as something that a person did
  const answer = await fetch("/account", { redirect: "manual", signal: AbortSignal.timeout(10000) }).catch(() => null);
  if (answer?.ok) {
    usedAt = Date.now();
    if (dozing.contains(document.activeElement)) heldAt?.focus({ preventScroll: true });
    say(dozing, words.stayed);
  } else if (answer?.type === "opaqueredirect") {
    state.isGone = true;
    tell();
  }
}

function doze() {
  const left = usedAt + words.idle * 1000 - Date.now();
  if (left > WARNED_MS || left < 0 || state.isGone) {
    say(dozing, "");
    return;
  }
  if (dozing.querySelector("button")) return;
  const button = document.createElement("button");
  button.className = "plain";
  button.textContent = words.stay;
  button.addEventListener("click", stay);
  heldAt = document.activeElement;
  dozing.replaceChildren(words.ending, " ", button);
}

if (words?.idle) {
  setInterval(doze, 10000);
  document.addEventListener("visibilitychange", doze);
  document.addEventListener("htmx:afterRequest", () => { usedAt = Date.now(); });
}

// What a key answers that does nothing.
document.addEventListener("veille:say", (event) => {
  changed([event.detail]);
  tell();
});

// After two seconds a sentence says that the request was sent.
let late;
addEventListener("beforeunload", () => { late = setTimeout(() => say(live, words.slow), LATE_MS); });
addEventListener("pageshow", () => clearTimeout(late));
document.addEventListener("htmx:beforeRequest", () => { late = setTimeout(() => say(live, words.slow), LATE_MS); });
document.addEventListener("htmx:afterRequest", () => { clearTimeout(late); live && tell(); });
// Who acts on a row of a list goes on at the next one, and is told what was done.
const heard = document.getElementById("heard");
let goesOn;
document.addEventListener("submit", (event) => {
  const acted = event.submitter?.closest("[data-row]");
  goesOn = (acted?.nextElementSibling ?? acted ?? document.activeElement?.closest("[data-row]"))?.dataset.live;
}, { capture: true });
// What another form did is read out where it was sent from: the focus would be lost with its button.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "content") return;
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  title = page.title;
  erase(document); // sent before
  if (words) words.page = page.getElementById("live")?.dataset.page ?? "";
  state.news = new Set(); // all of it is on the page now
  state.more = more(document);
  const said = event.target.querySelector(".notice[role]") ?? event.target;
  const row = goesOn && event.target.querySelector(`[data-row][data-live="${goesOn}"] a[href]`);
  if (row && !said.matches(".bad")) {
    heard.textContent = said.matches(".notice") ? said.textContent : "";
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    return;
  }
  said.tabIndex = -1;
  said.focus({ preventScroll: true });
});
// A link to what is folded opens it, in browsers that do not by themselves.
function unfold() {
  const place = document.getElementById(location.hash.slice(1));
  const fold = place?.closest("details:not([open])");
  if (!fold) return;
  fold.open = true;
  place.scrollIntoView();
}
addEventListener("hashchange", unfold);
unfold();
// Paper has it all, in browsers whose style cannot open a fold.
const folds = () => document.querySelectorAll("details.rest:not([open])");
addEventListener("beforeprint", () => { for (const fold of folds()) { fold.open = true; fold.dataset.printed = "1"; } });
addEventListener("afterprint", () => {
  for (const fold of document.querySelectorAll("details[data-printed]")) { fold.open = false; delete fold.dataset.printed; }
});
document.addEventListener("htmx:sendError", () => say(live, words.offline.replace("{at}", state.at)));
