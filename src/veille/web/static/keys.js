// Single keys: each acts on the first thing of the row in hand, else of the page, that bears it.
const SEARCH = "/search";
const HELP = "/help/keys";
const STOP = "a[href], button";
const ACTS = "xeansruf"; // of which some roles may none
const words = document.getElementById("live").dataset;

const say = (text) => document.dispatchEvent(new CustomEvent("veille:say", { detail: text }));
const inHand = () => document.activeElement?.closest?.("[data-row]");

function isWriting(event) {
  const at = event.target;
  return at.isContentEditable || at.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, dialog");
}

function rows() {
  return [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility() && row.querySelector(STOP));
}

// The row in hand is kept when the focus goes to what a form said.
let hand = { at: -1 };
function take(row) {
  if (row) hand = { at: rows().indexOf(row), name: row.dataset.live };
}
document.addEventListener("focusin", (event) => take(event.target.closest("[data-row]")));
// who comes back to a row goes on there
take(document.getElementById(location.hash.slice(1))?.closest("[data-row]"));

function found(all, step) {
  const at = all.findIndex((row) => row.contains(document.activeElement));
  if (at >= 0 || hand.at < 0) return at;
  const again = all.findIndex((row) => hand.name && row.dataset.live === hand.name);
  return again >= 0 ? again : hand.at - (step > 0 ? 1 : 0);
}

function move(step) {
  const all = rows();
  const at = found(all, step);
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  if (next?.contains(document.activeElement)) say(step > 0 ? words.last : words.first);
  next?.querySelector(STOP).focus();
  next?.scrollIntoView({ block: "nearest" });
}

function find(key) {
  const row = inHand();
  const bears = `[data-key="${CSS.escape(key)}"]`;
  return row?.querySelector(bears) ?? [...document.querySelectorAll(bears)].find((e) => !e.closest("[data-row]"));
}

// Where a key leads that acts on the page of the row: `a#to` is the field `to` there.
function leads(key) {
  const row = document.activeElement?.closest?.("[data-go] [data-row]");
  const place = row?.closest("[data-go]").dataset.go.split(" ").find((each) => each[0] === key);
  return place && row.querySelector("a.row").href + place.slice(1);
}

function use(thing) {
  const fold = thing.closest("details");
  if (fold) fold.open = true;
  if (thing.matches("textarea, select, input:not([type=checkbox])")) thing.focus();
  else if (thing.matches("details")) {
    thing.open = true;
    thing.querySelector("textarea, select, input:not([type=hidden]), button")?.focus();
  } else thing.click();
}

// Whether a key does something on this page, in one of its rows or outside of them.
function works(key) {
  if (key === "?") return true;
  if (key === "j" || key === "k") return rows().length > 0;
  if (key === "/" && document.querySelector(`a[href="${SEARCH}"]`)) return true;
  const leads = document.querySelector("[data-go]:has([data-row])")?.dataset.go.split(" ") ?? [];
  return leads.some((each) => each[0] === key)
    || [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].some((e) => !e.closest("dialog"));
}

// Why a key does nothing: what the row in hand or the page says of it, else where it would.
function refusal(key) {
  if (words.role && ACTS.includes(key)) return words.role;
  if (key === "u") return words.done;
  const row = inHand();
  const name = `data-no-${CSS.escape(key)}`;
  const place = row ?? [...document.querySelectorAll(`[${name}]`)].find((e) => !e.closest("[data-row]"));
  const isOfRows = works(key) || document.querySelector(`[data-row][${name}]`);
  const text = row ? words.onRow : isOfRows ? words.noRow : words.noKey;
  return place?.getAttribute(name) ?? [text.replace("{key}", key), row?.dataset.said].filter(Boolean).join(" ");
}

async function help() {
  const place = document.createElement("dialog");
  const answer = await fetch(HELP, { headers: { "Veille-Live": "1" }, signal: AbortSignal.timeout(10000) });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (document.querySelector("dialog[open]")) return; // pressed twice
  const title = page.querySelector("h1");
  title.id = "keys-title";
  const shut = document.createElement("button");
  shut.className = "plain";
  shut.textContent = page.getElementById("keys").dataset.close;
  shut.addEventListener("click", () => place.close());
  place.setAttribute("aria-labelledby", title.id);
  for (const key of page.querySelectorAll("#keys kbd")) {
    if (works(key.textContent)) continue;
    key.parentElement.nextElementSibling.remove();
    key.parentElement.remove();
  }
  place.append(title, page.getElementById("keys"), shut);
  place.addEventListener("close", () => place.remove());
  document.body.append(place);
  place.showModal();
}

document.querySelector(`a[href="${HELP}"].sign`)?.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  help().catch(() => { location.href = HELP; });
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isWriting(event)) return;
  if (document.querySelector("dialog[open]")) return; // a click in it leaves the focus to the page behind
  const { key } = event;
  if (key.length > 1 || !words.keys.includes(key)) return;
  if (works(key)) event.preventDefault();
  if (works(key) && (key === "j" || key === "k")) move(key === "j" ? 1 : -1);
  else if (key === "?") help().catch(() => { location.href = HELP; });
  else if (find(key)) use(find(key));
  else if (leads(key) && !inHand().hasAttribute(`data-no-${key}`)) location.href = leads(key);
  else if (key === "/" && document.querySelector(`a[href="${SEARCH}"]`)) location.href = `${SEARCH}#q`;
  else say(refusal(key));
});
